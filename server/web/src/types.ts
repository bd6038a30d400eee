// Shapes of the REST API, as the server sends them. Times are integer Unix milliseconds UTC.

export type State = 'ok' | 'degraded' | 'down' | 'unknown' | 'maintenance';
export type GatewayState = 'never' | 'online' | 'suspect' | 'silent' | 'revoked';
export type Severity = 'critical' | 'major' | 'minor';
export type Effect = 'down' | 'degraded' | 'unknown' | '';
export type Role = 'administrator' | 'noc' | 'technician' | 'customer';
export type Language = 'en' | 'zh';
export type List<T> = { items: T[]; next?: string | number | null };

export type Me = {
  id: string; login: string; name: string; role: Role; customer_id: string | null;
  language: Language; must_change: boolean | number; csrf: string; acts: string[];
};

export type Counts = Record<State, number>;
export type BoardGateway = { id: string; name: string; state: GatewayState; state_since: number; last_heard_at: number | null };
/** id, name, class, state, state_since, parent_id, position: an array, because there may be ten thousand. */
export type BoardDevice = [string, string, string, State, number, string | null, number];
export type BoardSite = {
  id: string; name: string; name_zh: string; customer_id: string; zone: string; worst?: State;
  gateway: BoardGateway[]; devices: BoardDevice[];
};
export type Latest = { id: string; at: number; site_id: string; device_id: string | null; text_code: string; transition: string; name: string };
export type Board = {
  at: number; seq: number;
  counts: { leads_to_nobody?: number; gateways: number; gateways_online: number; [key: string]: unknown };
  sites: BoardSite[]; incidents: Incident[]; symptoms: string[]; tickets: Ticket[]; latest: Latest[];
};
export type Delta = {
  seq: number; at: number;
  devices?: { id: string; site_id: string; state: State; state_since: number }[];
  gateways?: (BoardGateway & { site_id: string })[];
  incidents?: Incident[]; symptoms?: [id: string, device: string | null, ticket: string | null, over: boolean][]; tickets?: Ticket[]; latest?: Latest[];
};

export type Customer = { id: string; name: string; note: string; created_at: number; sites: number };
export type Site = {
  id: string; customer_id: string; customer_name: string; name: string; name_zh: string; address: string; zone: string;
  datum: string; lat: number | null; lon: number | null; contact_name: string; contact_phone: string; notes: string;
};
export type Gateway = {
  id: string; site_id: string; site_name: string; name: string; state: GatewayState; state_since: number; last_heard_at: number | null;
  enrolled_at: number | null; revoked_at: number | null; cert_not_after: number | null; clock_offset_ms: number | null; agent_version: string | null;
  queue_records: number | null; queue_bytes: number | null; dropped_records: number | null;
  config_version: number; config_reported_version: number; config_status: string; config_error: string; heartbeat_s: number; wire: GatewayWire;
};
export type GatewayWire = {
  queue_oldest_at: number | null; newest_at: number | null; late_ms: number | null; replay_left: number | null; gaps: number; gaps_day: number;
  lost_records: number; last_gap_at: number | null; last_gap_reason: string | null; refused_by_agent: number; refused_here: number; clock_wrong_at: number | null; disk_trouble: string | null; disk_wrong_at: number | null;
};
export type WireSums = {
  holding: number; records_held: number; oldest_held_at: number | null; replaying: number; gaps_day: number; lost_day: number;
  clocks_wrong: number; disks_wrong: number; certificates_ending: number; commit_lag_ms: number;
};
export type RecordGap = { received_at: number; from: number | null; to: number | null; records: number; reason: string };
export type Enrolment = { gateway?: Gateway; token: string; command: string };

export type Fault = {
  code: string; severity: Severity; effect: Effect; raised_at: number; last_good_at: number | null; first_bad_at: number | null;
  check: string; evidence: unknown; flapping: boolean | number; incident_id: string | null; ticket_id: string | null;
};
export type Link = { kind: 'gateway' | 'device'; id: string; name: string; state: State | GatewayState };
export type Device = {
  id: string; gateway_id: string; site_id: string; site_name: string; site_name_zh: string; zone: string; parent_id: string | null; parents: Parent[];
  name: string; class: string; address: string; place: string; model: string; serial: string; firmware: string; enabled: boolean | number;
  state: State; state_since: number; known_at: number | null;
  checks: { name: string; kind: string }[]; faults: Fault[]; chain: Link[];
};
export type Offer = { kind: string; no: string | null; needs_consent: boolean; today: number; daily_limit: number; switch: string | null; port: string | null };
export type Remedy = {
  id: string; kind: string; target: Record<string, unknown> | null; ticket_id: string | null; ticket_number: number | null; code: string; automatic: boolean; actor: string;
  consent_by: string | null; state: string; reason: string; asked_at: number; begun_at: number | null; done_at: number | null; ended_at: number | null; result: Record<string, unknown> | null;
};
export type DeviceRemedies = { offers: Offer[]; record: Remedy[] };
export type RemedyRule = { class: string; kind: string; automatic: boolean; codes: string[]; daily_limit: number; wait_s: number; days_limit: number };
export type Consent = { id: string; given_by: string; words: string; given_at: number; until_at: number | null; recorded_by: string; revoked_at: number | null; holds: boolean };
export type SiteRemedies = {
  enabled: boolean; consent: string; from_minute: number; to_minute: number; rules: RemedyRule[]; consents: Consent[];
  kinds: { kind: string; classes: string[]; automatic: string[] }[]; changed_at: number; changed_by: string;
};
export type DevicePort = {
  switch_id: string; switch_name: string; name: string; poe_group: number; poe_port: number; macs: number; trunk: boolean; first_seen_at: number; seen_at: number; recorded: boolean; recorded_by: string;
};
export type ParentProposal = {
  id: string; device_id: string; device_name: string; site_id: string; switch_id: string; switch_name: string; port: string; recorded_id: string | null; recorded_name: string | null; created_at: number; seen_at: number;
};
export type DeviceTopology = { ports: DevicePort[]; proposals: ParentProposal[] };
export type DeviceEvent = {
  id: string; at: number; received_at: number; code: string; transition: string; check: string; last_good_at: number | null;
  first_bad_at: number | null; evidence: unknown; clock_offset_ms: number | null;
};
export type DeviceState = { at: number; state: State; because: string };
export type Series = { check: string; metric: string; source: string; step_ms: number; points: [number, number | null][] };
/** Records of the device's gateway that are lost for good, and between which times. */
export type Lost = { from: number; to: number; records: number; reason: string };
export type Command = { id: string; state: string; result: unknown };

export type Incident = {
  id: string; site_id: string; site_name: string; site_name_zh: string; gateway_id: string; gateway_name: string;
  device_id: string | null; device_name: string | null; class: string | null; code: string; severity: Severity; effect: Effect;
  opened_at: number; last_good_at: number | null; first_bad_at: number | null; closed_at: number | null; evidence: unknown;
  ticket_id: string | null; ticket_number: number | null; unknown_devices: number | null;
  cause_id: string | null; cause_name: string | null; waits_until: number | null;
};
export type TicketState = 'open' | 'acked' | 'closed';
export type Ticket = {
  id: string; number: number; site_id: string; site_name: string; site_name_zh: string; zone: string; device_id: string | null;
  device_name: string | null; gateway_name: string | null; origin: 'machine' | 'person' | 'inspection'; code: string; title: string; severity: Severity;
  effect: Effect | null; state: TicketState; opened_at: number; acked_at: number | null; acked_by: string | null;
  assignee_id: string | null; assignee: string | null; closed_at: number | null; changed_at: number; next_at?: number | null; next_who?: string; held?: HoldReason | ''; held_why?: string; incidents?: Incident[];
  symptoms: number; last_good_at: number | null; first_bad_at: number | null;
};
export type TicketEvent = {
  seq: number; kind: string; occurred_at: number; recorded_at: number; actor: string; source: 'machine' | 'person' | 'system';
  body: Record<string, unknown>;
};
export type Page = {
  id: string; ticket_id: string; account_id: string; account: string; channel: string; address: string; purpose: string;
  state: 'queued' | 'claimed' | 'sent' | 'failed'; created_at: number; sent_at: number | null; attempts: number; last_answer: string; held: string; due_at: number;
};
export type Parent = { device_id: string; name: string; state: State; kind: 'reach' | 'power'; group: string; source: 'recorded' | 'learned' };
export type Maintenance = {
  id: string; site_id: string; site_name: string; site_name_zh: string; zone: string; gateway_id: string | null; gateway_name: string | null;
  device_id: string | null; device_name: string | null; code: string; kind: 'fixed' | 'flexible' | 'visit'; state: 'planned' | 'waiting' | 'running' | 'over';
  starts_at: number; ends_at: number; length_ms: number | null; began_at: number | null; until: number; reason: string; creator: string;
  created_at: number; ended_by: string;
};
export type HoldReason = 'cause' | 'flapping' | 'maintenance' | 'replay' | 'remedy';
export type Hold = { reason: HoldReason; since: number; until: number | null; detail: Record<string, unknown> };
export type TicketDetail = Ticket & { events: TicketEvent[]; pages: Page[]; holds: Hold[]; escalation: TicketEscalation | null };

export type TicketEscalation = {
  serial: number; plan: string; phase: 'asking' | 'acked' | 'reminded' | 'manager' | 'spent' | 'rest' | 'over'; round: number; done: number; steps: number;
  held_since: number | null; experts_until: number | null; began_at: number;
};
export type Hours = { days: number[]; from: string; to: string; holidays: boolean; outside: boolean };
export type When = { severities: string[]; classes: string[]; customers: string[]; sites: string[]; hours: Hours | null };
export type Target =
  | { kind: 'person'; account_id: string } | { kind: 'duty' } | { kind: 'rota'; rota_id: string; layer?: number | null } | { kind: 'team'; team_id: string }
  | { kind: 'skill'; skill: string; within_km?: number | null } | { kind: 'manager' } | { kind: 'experts' };
export type Step = { after_s: number; targets: Target[]; when: When; quiet: Hours | null };
export type Plan = { when: When; steps: Step[]; rounds: number; round_every_s: number; answer_s: number | null; ack_s: number | null };
export type PlanEntry = {
  id: string; name: string; site_id: string | null; site_name: string | null; customer_id: string | null; customer_name: string | null;
  position: number; plan: Plan | null; changed_at: number;
};
export type ForeseenPerson = { account: string; because: string; language: string; channels: string[]; waits: { channel: string; reason: string; until: number }[]; distance_km: number | null };
export type PlanCheck = { steps: ForeseenPerson[][]; site: string; sites: number; leads_to_nobody: string[] };
export type Forecast = {
  device: string; site: string; site_zh: string; zone: string; fault: string; severity: Severity; at: number; begins_at: number; plan: string; reaches_somebody: boolean;
  withheld: { reason: string; ticket: number | null; from: number | null; until: number | null; detail: string }[]; informed: ForeseenPerson[];
  steps: { at: number; kind: string; round: number | null; step: number | null; reason: string | null; until: number | null; people: ForeseenPerson[] }[];
};
export type PlaceRole = {
  id: string; kind: 'manager' | 'expert' | 'engineer' | 'contact'; site_id: string | null; site_name: string | null; customer_id: string | null;
  customer_name: string | null; account_id: string; account: string;
};
export type PagerFinding = { kind: string; subject: string; label: string; detail: string; since: number };
export type Pager = {
  audited_at: number | null; passed_at: number | null; findings: PagerFinding[];
  heartbeats: { id: string; name: string; host: string; method: string; tried_at: number | null; sent_at: number | null; last_answer: string }[];
  peers: { id: string; name: string; site_id: string; limit_s: number; heard_at: number | null; silent_since: number | null; ticket_id: string | null }[];
};
export type Abilities = { skills: { skill: string; certificate: string; expires_at: number | null }[]; lat: number | null; lon: number | null; datum: string | null };
export type Named = { id: string; name: string };

export type UsualCheck = { name: string; kind: string; takes: string };
export type UsualChecks = { class: string; maker: string; checks: UsualCheck[] };

export type FaultEntry = {
  code: string; severity: Severity; effect: Effect;
  title: Record<Language, string>; meaning: Record<Language, string>; remedy: Record<Language, string>;
  evidence?: Record<Language, string> | null;
};
export type Contact = {
  id: string; account_id: string; channel: string; address: string; template: string; enabled: boolean;
  tested_at: number | null; test_error: string | null; test_answer: string | null; limit_pages: number; limit_minutes: number;
  quiet_from: number | null; quiet_to: number | null; zone: string; gone_at: number | null; gone_why: string | null;
};
export type ChannelField = { name: string; secret: boolean; optional: boolean; default: string; value: string; is_set: boolean };
export type Channel = {
  name: string; address: string; is_push: boolean; is_ready: boolean; fields: ChannelField[]; changed_at: number | null;
  people: number; limit: number;
};
export type Channels = { items: Channel[]; push_alone: string[] };
export type Delivery = { number: number; account: string; channel: string; purpose: string; attempt: number; at: number; ok: boolean; answer: string; state: string };
export type Receiver = {
  id: string; name: string; kind: string; url: string; customer_id: string | null; severity: string; enabled: boolean;
  told_at: number | null; failed_at: number | null; last_answer: string; waiting: number; failed: number;
};
export type Discovered = {
  address: string; name: string; maker: string; model: string; class: string; certainty: string; is_proposed: boolean; why: string[];
  device_id: string | null; device_name: string | null;
};
export type Discovery = {
  id: string; network: string; state: string; asked_at: number; asked_by: string | null; ended_at: number | null; done: number; all: number;
  addresses: number; complete: boolean; left_out: number; error: string | null; found: Discovered[];
};
export type LocalPage = { url: string; has_template: boolean; severity: string; after_minutes: number; people: { account_id: string; address: string }[] };
export type User = {
  id: string; login: string; name: string; role: Role; customer_id: string | null; language: Language;
  disabled: boolean | number; must_change?: boolean | number; contacts?: Contact[];
};
export type Duty = { id: string; site_id: string | null; account_id: string; site_name?: string | null; account?: string };
export type Found = { devices: FoundDevice[]; sites: FoundSite[]; tickets: FoundTicket[] };
export type FoundTicket = Pick<Ticket, 'id' | 'number' | 'title' | 'code' | 'device_name' | 'state'>;
export type FoundDevice = { id: string; name: string; class: string; address?: string; state: State; site_name: string };
export type FoundSite = { id: string; name: string; name_zh: string };
