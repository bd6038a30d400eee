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
  sites: BoardSite[]; incidents: Incident[]; tickets: Ticket[]; latest: Latest[];
};
export type Delta = {
  seq: number; at: number;
  devices?: { id: string; site_id: string; state: State; state_since: number }[];
  gateways?: (BoardGateway & { site_id: string })[];
  incidents?: Incident[]; tickets?: Ticket[]; latest?: Latest[];
};

export type Customer = { id: string; name: string; note: string; created_at: number; sites: number };
export type Site = {
  id: string; customer_id: string; customer_name: string; name: string; name_zh: string; address: string; zone: string;
  datum: string; lat: number | null; lon: number | null; contact_name: string; contact_phone: string;
};
export type Gateway = {
  id: string; site_id: string; site_name: string; name: string; state: GatewayState; state_since: number; last_heard_at: number | null;
  enrolled_at: number | null; revoked_at: number | null; cert_not_after: number | null; clock_offset_ms: number | null; agent_version: string | null;
  queue_records: number | null; queue_bytes: number | null; dropped_records: number | null;
  config_version: number; config_reported_version: number; config_status: string; config_error: string; heartbeat_s: number; wire: GatewayWire;
};
export type GatewayWire = {
  queue_oldest_at: number | null; newest_at: number | null; late_ms: number | null; replay_left: number | null; gaps: number; gaps_day: number;
  lost_records: number; last_gap_at: number | null; last_gap_reason: string | null; refused_by_agent: number; refused_here: number; clock_wrong_at: number | null;
};
export type WireSums = {
  holding: number; records_held: number; oldest_held_at: number | null; replaying: number; gaps_day: number; lost_day: number;
  clocks_wrong: number; certificates_ending: number; commit_lag_ms: number;
};
export type RecordGap = { received_at: number; from: number | null; to: number | null; records: number; reason: string };
export type Enrolment = { gateway?: Gateway; token: string; command: string };

export type Fault = {
  code: string; severity: Severity; effect: Effect; raised_at: number; last_good_at: number | null; first_bad_at: number | null;
  check: string; evidence: unknown; flapping: boolean | number; incident_id: string | null; ticket_id: string | null;
};
export type Link = { kind: 'gateway' | 'device'; id: string; name: string; state: State | GatewayState };
export type Device = {
  id: string; gateway_id: string; site_id: string; site_name: string; site_name_zh: string; zone: string; parent_id: string | null;
  name: string; class: string; address: string; place: string; model: string; serial: string; firmware: string; enabled: boolean | number;
  state: State; state_since: number; known_at: number | null;
  checks: { name: string; kind: string }[]; faults: Fault[]; chain: Link[];
};
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
};
export type TicketState = 'open' | 'acked' | 'closed';
export type Ticket = {
  id: string; number: number; site_id: string; site_name: string; site_name_zh: string; zone: string; device_id: string | null;
  device_name: string | null; gateway_name: string | null; origin: 'machine' | 'person'; code: string; title: string; severity: Severity;
  effect: Effect | null; state: TicketState; opened_at: number; acked_at: number | null; acked_by: string | null;
  assignee_id: string | null; assignee: string | null; closed_at: number | null; changed_at: number; incidents?: Incident[];
};
export type TicketEvent = {
  seq: number; kind: string; occurred_at: number; recorded_at: number; actor: string; source: 'machine' | 'person' | 'system';
  body: Record<string, unknown>;
};
export type Page = {
  id: string; ticket_id: string; account_id: string; account: string; channel: string; address: string; purpose: string;
  state: 'queued' | 'claimed' | 'sent' | 'failed'; created_at: number; sent_at: number | null; attempts: number; last_answer: string;
};
export type TicketDetail = Ticket & { events: TicketEvent[]; pages: Page[] };

export type FaultEntry = {
  code: string; severity: Severity; effect: Effect;
  title: Record<Language, string>; meaning: Record<Language, string>; remedy: Record<Language, string>;
  evidence?: Record<Language, string> | null;
};
export type Contact = {
  id: string; account_id?: string; channel: 'email' | 'webhook' | 'http'; address: string; template: string;
  enabled?: boolean | number; tested_at?: number | null; test_error?: string | null;
};
export type User = {
  id: string; login: string; name: string; role: Role; customer_id: string | null; language: Language;
  disabled: boolean | number; must_change?: boolean | number; contacts?: Contact[];
};
export type Duty = { id: string; site_id: string | null; account_id: string; site_name?: string | null; account?: string };
export type Found = { devices: FoundDevice[]; sites: FoundSite[]; tickets: FoundTicket[] };
export type FoundTicket = Pick<Ticket, 'id' | 'number' | 'title' | 'code' | 'device_name' | 'state'>;
export type FoundDevice = { id: string; name: string; class: string; address?: string; state: State; site_name: string };
export type FoundSite = { id: string; name: string; name_zh: string };
