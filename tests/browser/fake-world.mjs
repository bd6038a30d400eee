// Invented rows for the fake server: sites, gateways, devices, troubles and a history, the same for the same size.
import { makeClocks } from './fake-clocks.mjs';
import { makeDeals } from './fake-deal.mjs';
import { makeComplaints } from './fake-complaints.mjs';
import { makeContracts } from './fake-contracts.mjs';
import { makeFollow } from './fake-follow.mjs';
import { makeInspections } from './fake-inspections.mjs';
import { makeMajors } from './fake-majors.mjs';
import { makeParts } from './fake-parts.mjs';
import { makeDuty } from './fake-duty.mjs';
import { makeVisits } from './fake-visits.mjs';

const NAMES = [['North Gate', '北门站'], ['Tunnel East', '东隧道'], ['Riverside', '滨河站'], ['Mall 2', '商场二期'], ['South Gate', '南门站'], ['East Gate', '东门站'], ['West Gate', '西门站'],
  ['Tunnel West', '西隧道'], ['Harbour 1', '港口一站'], ['Airport Road', '机场路'], ['Lakeside', '湖畔园'], ['Hillside', '山前站'], ['Old Town', '老城站'], ['Bridge 1', '一号桥'],
  ['Depot A', '车辆段甲'], ['Library', '图书馆'], ['Museum', '博物馆'], ['Stadium', '体育场'], ['Campus N', '北校区'], ['Plant 1', '一号厂房']];
const MINUTE = 60_000, HOUR = 3_600_000;
const fault = (code, severity, effect, en, zh, remedy, remedyZh) => ({
  code, severity, effect, title: { en, zh }, remedy: { en: remedy, zh: remedyZh },
  meaning: { en: `What was measured says: ${en}.`, zh: `测量结果表明：${zh}。` },
});
const FAULTS = [
  fault('unreachable', 'critical', 'down', 'no answer on any check', '所有检查项均无应答', 'Check power and the cable at the switch port, then the device.', '先检查供电和交换机端口网线，再检查设备。'),
  fault('port_closed', 'major', 'degraded', 'port does not answer', '端口无应答', 'Restart the service on the device, or correct the port.', '重启设备上的服务，或更正端口。'),
  fault('clock_offset', 'minor', 'degraded', 'clock is off', '时钟偏差', 'Set the time server on the device.', '在设备上设置时间服务器。'),
  fault('http_auth_rejected', 'minor', 'unknown', 'password rejected', '密码被拒绝', 'Correct user and password in the check.', '更正检查项中的用户名和密码。'),
  fault('gateway_silent', 'critical', 'unknown', 'gateway silent', '网关失联', 'Check the uplink and power of the gateway.', '检查网关的上联网络和供电。'),
];
const ACTS = ['own_account', 'own_contacts', 'see_board', 'see_customers', 'edit_customers', 'see_sites', 'edit_sites', 'see_gateways', 'edit_gateways', 'see_devices', 'edit_devices', 'probe_devices', 'see_remedies', 'edit_remedies', 'press_remedies',
  'see_incidents', 'see_tickets', 'open_tickets', 'note_tickets', 'ack_tickets', 'record_facts', 'judge_clocks', 'close_tickets', 'assign_tickets', 'see_people', 'edit_people', 'see_duty', 'edit_duty', 'edit_maintenance', 'see_audit', 'see_channels', 'see_deliveries', 'edit_channels', 'see_contracts', 'check_contracts', 'edit_contracts', 'see_inspections', 'agree_inspections', 'plan_inspections'];
ACTS.push('see_complaints', 'work_complaints', 'edit_knowledge', 'see_majors', 'work_majors', 'answer_majors', 'see_escalation', 'edit_escalation', 'edit_pager', 'see_rota', 'edit_rota', 'swap_shifts', 'log_duty', 'edit_pay', 'see_visits', 'work_visits', 'plan_visits', 'see_parts', 'work_parts', 'edit_parts');
const CUSTOMER_ACTS = ['own_account', 'see_board', 'see_sites', 'see_devices', 'see_remedies', 'see_incidents', 'see_tickets', 'open_tickets', 'note_tickets', 'see_contracts', 'see_inspections', 'agree_inspections', 'see_complaints', 'see_majors', 'answer_majors'];

const quiet = (now) => ({ queue_oldest_at: null, newest_at: now - 40_000, late_ms: 1400, replay_left: null, gaps: 0, gaps_day: 0, lost_records: 0, last_gap_at: null, last_gap_reason: null, refused_by_agent: 0, refused_here: 0, clock_wrong_at: null, disk_trouble: null, disk_wrong_at: null });

/** A world of `size` devices; from ten on something is wrong with the wire of its first gateways. `many` gateways are added. */
const usual = (kind, takes = '', label = kind) => ({ name: label, kind, takes });
const USUAL = [
  { class: 'camera', maker: '', checks: [usual('icmp'), usual('onvif'), usual('tcp', '', 'stream-port')] },
  { class: 'camera', maker: 'hikvision', checks: [usual('icmp'), usual('isapi', 'login'), usual('rtsp', 'login'), usual('picture', 'login')] },
  { class: 'switch', maker: '', checks: [usual('icmp'), usual('switch', 'community'), usual('topology', 'community')] },
  { class: 'other', maker: '', checks: [usual('icmp')] },
];

export function makeWorld(size, { role, mustChange, language }) {
  const now = Date.now();
  const siteCount = size === 0 ? 0 : Math.min(size <= 20 ? 1 : 20, Math.max(1, Math.ceil(size / 8)));
  const sites = [], gateways = [], devices = [], incidents = [], tickets = [], latest = [];
  for (let s = 0; s < siteCount; s++) {
    const [name, name_zh] = NAMES[s % NAMES.length];
    sites.push({ id: `site-${s}`, customer_id: 'customer-1', customer_name: 'Harbour Authority', name, name_zh, address: `${s + 1} Gate Road`, zone: 'Asia/Shanghai', datum: 'wgs84', lat: null, lon: null, contact_name: 'chen.yu', contact_phone: '+86 10 5555 0101' });
    gateways.push({ id: `gw-${s}`, site_id: `site-${s}`, site_name: name, name: `GW-${String(s + 1).padStart(2, '0')}`, state: 'online', state_since: now - 9 * HOUR, last_heard_at: now - 900, enrolled_at: now - 400 * HOUR, revoked_at: null, cert_not_after: now + 9000 * HOUR, clock_offset_ms: 12, agent_version: '0.1.0', queue_records: 0, queue_bytes: 0, dropped_records: 0, config_version: 4, config_reported_version: 4, config_status: 'applied', config_error: '', heartbeat_s: 10, wire: quiet(now) });
    const own = Math.floor(size / siteCount) + (s < size % siteCount ? 1 : 0);
    for (let d = 0; d < own; d++) {
      const kind = d === 0 ? 'switch' : d === 1 ? 'nvr' : d === 2 ? 'access' : d === 3 ? 'ups' : 'camera';
      const label = { switch: 'SW-1', nvr: 'R-1', access: 'door-1', ups: 'UPS-1' }[kind] ?? `cam-${String(d - 3).padStart(2, '0')}`;
      devices.push({ id: `dev-${s}-${d}`, gateway_id: `gw-${s}`, site_id: `site-${s}`, parent_id: d === 0 ? null : `dev-${s}-0`, name: label, class: kind, address: `10.20.${s}.${(d % 250) + 1}`, place: d > 3 ? `lane ${d - 3}, pole P-${d}` : '', model: 'Sample IPC-4M', serial: `SMP-${s}-${d}`, firmware: '5.6.3', enabled: true, state: 'ok', state_since: now - 30 * HOUR, known_at: now - 30 * HOUR, faults: [], position: d });
    }
  }
  const wrong = [
    [{ clock_offset_ms: -7_203_112 }, { clock_wrong_at: now - 3 * HOUR, gaps: 3, gaps_day: 1, lost_records: 412, last_gap_at: now - 5 * HOUR, last_gap_reason: 'queue_full', refused_here: 2 }],
    [{ queue_records: 0 }, {}],
    [{ queue_records: 9800, queue_bytes: 21_500_000 }, { queue_oldest_at: now - 26 * HOUR, newest_at: now - 25 * HOUR, late_ms: 25 * HOUR, replay_left: 9640 }],
    [{ queue_records: 2600, queue_bytes: 5_100_000 }, { queue_oldest_at: now - 2 * HOUR, late_ms: 2 * HOUR, disk_trouble: 'full', disk_wrong_at: now - 3 * HOUR }],
    [{ cert_not_after: now + 9 * 24 * HOUR }, { refused_by_agent: 12 }],
    [{ config_reported_version: 5, config_version: 6, config_status: 'rejected', config_error: 'line 12: kind `telepathy` is unknown' }, {}],
    [{ state: 'never', last_heard_at: null, enrolled_at: null, cert_not_after: null, agent_version: null, queue_records: null, queue_bytes: null, clock_offset_ms: null }, { newest_at: null, late_ms: null }],
  ];
  for (let g = 0; g < (size >= 10_000 ? 980 : 0); g++) gateways.push({ ...gateways[g % 20], id: `gw-more-${g}`, name: `GW-${100 + g}`, wire: quiet(now) });
  if (size >= 10) wrong.slice(0, gateways.length).forEach(([change, wire], g) => { Object.assign(gateways[g], change); Object.assign(gateways[g].wire, wire); });
  const gaps = [{ received_at: now - 5 * HOUR, from: now - 15 * HOUR, to: now - 9 * HOUR, records: 400, reason: 'queue_full' }, { received_at: now - 200 * HOUR, from: null, to: now - 201 * HOUR, records: 11, reason: 'corrupt' }, { received_at: now - 300 * HOUR, from: now - 301 * HOUR, to: now - 300 * HOUR, records: 1, reason: 'refused' }];
  function sums() {
    const heard = gateways.filter((one) => one.state === 'online'), held = heard.filter((one) => one.wire.queue_oldest_at !== null && now - one.wire.queue_oldest_at > 2 * MINUTE);
    const sum = (list, of) => list.reduce((all, one) => all + of(one), 0);
    return { holding: held.length, records_held: sum(held, (one) => one.queue_records), oldest_held_at: held.length ? Math.min(...held.map((one) => one.wire.queue_oldest_at)) : null, replaying: heard.filter((one) => one.wire.replay_left !== null).length,
      gaps_day: sum(gateways, (one) => one.wire.gaps_day), lost_day: sum(gateways, (one) => (one.wire.gaps_day ? 400 : 0)), clocks_wrong: gateways.filter((one) => one.wire.clock_wrong_at !== null).length, disks_wrong: gateways.filter((one) => one.wire.disk_trouble !== null).length, certificates_ending: gateways.filter((one) => one.cert_not_after !== null && one.cert_not_after - now < 336 * HOUR).length, commit_lag_ms: 4 };
  }
  let seq = 100, number = 1030;
  const bySite = (site) => devices.filter((device) => device.site_id === site.id);
  const entry = (code) => FAULTS.find((one) => one.code === code);

  function trouble({ device, gateway, code, ago, acked, evidence, unknown = 0 }) {
    const { severity, effect } = entry(code);
    const site = sites.find((one) => one.id === (device ?? gateway).site_id);
    const at = Date.now() - ago, id = `inc-${++number}`;
    const place = { site_id: site.id, site_name: site.name, site_name_zh: site.name_zh };
    const incident = { id, ...place, gateway_id: device?.gateway_id ?? gateway.id, gateway_name: gateways.find((one) => one.id === (device?.gateway_id ?? gateway.id)).name, device_id: device?.id ?? null, device_name: device?.name ?? null, class: device?.class ?? null, code, severity, effect, opened_at: at, last_good_at: at - 30_000, first_bad_at: at - 5000, closed_at: null, evidence, ticket_id: `ticket-${number}`, ticket_number: number, cause_id: null, cause_name: null, waits_until: null, unknown_devices: unknown };
    const ticket = { id: `ticket-${number}`, number, ...place, zone: site.zone, device_id: device?.id ?? null, device_name: device?.name ?? null, gateway_name: incident.gateway_name, origin: 'machine', code, title: '', severity, effect, state: acked ? 'acked' : 'open', opened_at: at, acked_at: acked ? at + 3 * MINUTE : null, acked_by: acked ?? null, assignee_id: null, assignee: acked ?? null, closed_at: null, changed_at: at, incidents: [incident], symptoms: 0, last_good_at: at - 30_000, first_bad_at: at - 5000, escalation: null,
      events: [{ seq: 1, kind: 'opened', occurred_at: at, recorded_at: at, actor: '', source: 'machine', body: { code, evidence } }, { seq: 2, kind: 'page_queued', occurred_at: at + 800, recorded_at: at + 800, actor: '', source: 'system', body: {} },
        ...(acked ? [{ seq: 3, kind: 'acked', occurred_at: at + 3 * MINUTE, recorded_at: at + 3 * MINUTE, actor: acked, source: 'person', body: { by: 'link', text: 'On my way, 20 min.' } }] : [])],
      holds: [], pages: [{ id: `page-${number}-1`, ticket_id: `ticket-${number}`, account_id: 'u-2', account: 'li.wei', channel: 'email', address: 'li.wei@example.com', purpose: 'opened', state: 'sent', created_at: at + 800, sent_at: at + 1400, attempts: 1, last_answer: '250 2.0.0 queued', held: '', due_at: at + 800 },
        { id: `page-${number}-2`, ticket_id: `ticket-${number}`, account_id: 'u-2', account: 'li.wei', channel: 'webhook', address: 'https://hooks.example.com/noc', purpose: 'opened', state: acked ? 'sent' : 'failed', created_at: at + 800, sent_at: acked ? at + 2000 : null, attempts: acked ? 1 : 5, last_answer: acked ? '200' : '503 from the receiver', held: '', due_at: at + 800 }] };
    incidents.push(incident);
    tickets.push(ticket);
    if (device) {
      device.state = effect;
      device.state_since = at;
      device.faults.push({ code, severity, effect, raised_at: at, last_good_at: at - 30_000, first_bad_at: at - 5000, check: 'icmp', evidence, flapping: false, incident_id: id, ticket_id: ticket.id });
    }
    latest.unshift({ id: `ev-${number}`, at, site_id: site.id, device_id: device?.id ?? '', text_code: code, transition: 'raised', name: device?.name ?? incident.gateway_name });
    return ticket;
  }
  if (size >= 10) {
    const first = bySite(sites[0]);
    trouble({ device: first.at(-1), code: 'unreachable', ago: 396_000, evidence: { checks: { icmp: '3 of 3 lost', rtsp: '10.20.0.10:554 refused the connection' } } });
    trouble({ device: first[1], code: 'clock_offset', ago: 10.6 * HOUR, acked: 'zhao.lin', evidence: { offset_ms: 94_210 } });
  }
  if (size >= 100) {
    gateways[1].state = 'silent';
    gateways[1].state_since = now - 853_000;
    gateways[1].last_heard_at = now - 883_000;
    const dark = bySite(sites[1]);
    for (const device of dark) Object.assign(device, { state: 'unknown', state_since: now - 853_000 });
    trouble({ gateway: gateways[1], code: 'gateway_silent', ago: 853_000, acked: 'wang.min', evidence: { devices: dark.length }, unknown: dark.length });
    trouble({ device: bySite(sites[2])[5], code: 'port_closed', ago: 28 * HOUR, acked: 'zhao.lin', evidence: { port: 554, text: 'port 554 refused the connection' } });
    const worked = trouble({ device: bySite(sites[3])[4], code: 'port_closed', ago: HOUR, evidence: { port: 554 } });
    Object.assign(worked, { held: 'maintenance', held_why: '更换光缆 new fibre', holds: [{ reason: 'maintenance', since: now - HOUR, until: null, detail: { why: '更换光缆 new fibre' } }], pages: [] });
    bySite(sites[3]).slice(3, 6).forEach((device) => Object.assign(device, { state: 'maintenance', state_since: now - 2 * HOUR }));
  }
  if (size >= 10) tickets.push({ ...tickets[0], id: 'ticket-1001', number: 1001, origin: 'person', title: '2 号道闸不落杆, barrier stays open', code: '', effect: '', device_id: null, device_name: null, gateway_name: null, state: 'closed', closed_at: now - 20 * HOUR, opened_at: now - 26 * HOUR, acked_by: 'li.wei', acked_at: now - 25 * HOUR, incidents: [], holds: [], pages: [], events: [{ seq: 1, kind: 'opened', occurred_at: now - 26 * HOUR, recorded_at: now - 26 * HOUR, actor: 'li.wei', source: 'person', body: {} }, { seq: 2, kind: 'closed', occurred_at: now - 20 * HOUR, recorded_at: now - 20 * HOUR, actor: 'li.wei', source: 'person', body: { reason: 'person', text: 'Motor replaced.' } }] });

  latest.sort((a, b) => b.at - a.at);

  const me = { id: 'u-1', login: 'admin', name: 'Ada', role, customer_id: role === 'customer' ? 'customer-1' : null, language, must_change: mustChange, csrf: 'fake-csrf', acts: role === 'customer' ? CUSTOMER_ACTS : role === 'technician' ? ACTS.filter((act) => act !== 'edit_knowledge') : ACTS };
  const users = [{ ...me, disabled: false }, { id: 'u-2', login: 'li.wei', name: 'Li Wei', role: 'noc', customer_id: null, language: 'zh', disabled: false }, { id: 'u-3', login: 'zhao.lin', name: 'Zhao Lin', role: 'technician', customer_id: null, language: 'zh', disabled: true }];
  const contact = (more) => ({ account_id: 'u-2', template: '', enabled: true, created_at: now, tested_at: null, test_error: null, test_answer: null, limit_pages: 10, limit_minutes: 10, quiet_from: null, quiet_to: null, zone: '', gone_at: null, gone_why: null, ...more });
  const contacts = [contact({ id: 'c-1', channel: 'email', address: 'li.wei@example.com', tested_at: now - HOUR, test_answer: '250 OK' }), contact({ id: 'c-2', channel: 'aliyun_sms', address: '+8613800000000', quiet_from: 1320, quiet_to: 420, zone: 'Asia/Shanghai', test_error: 'HTTP 200 {"Code":"isv.AMOUNT_NOT_ENOUGH"}' }),
    contact({ id: 'c-3', channel: 'web_push', address: 'fcm.googleapis.com · 3fa2c1', enabled: false, gone_at: now - HOUR, gone_why: 'HTTP 410 push subscription has unsubscribed or expired' })];
  const field = (name, more = {}) => ({ name, secret: false, optional: false, default: '', value: '', is_set: false, ...more });
  const way = (name, address, more = {}) => ({ name, address, is_push: false, is_ready: false, fields: [], changed_at: null, people: 0, limit: 10, ...more });
  const ways = [way('email', 'mail', { is_ready: true, people: 3 }), way('webhook', 'url', { is_ready: true }), way('http', 'url', { is_ready: true }),
    way('dingtalk', 'mention', { is_ready: true, people: 2, changed_at: now - HOUR, fields: [field('base_url', { optional: true, default: 'https://oapi.dingtalk.com' }), field('access_token', { secret: true, is_set: true }), field('secret', { secret: true, optional: true, is_set: true })] }),
    way('aliyun_sms', 'phone', { fields: [field('access_key_id'), field('access_key_secret', { secret: true }), field('sign_name'), field('template_code'), field('params', { optional: true, default: '{"number":"{{number}}"}' })] }),
    way('web_push', 'subscription', { is_push: true, fields: [field('subject')] }), way('ntfy', 'topic', { is_push: true, is_ready: true, people: 1, fields: [field('base_url', { optional: true, default: 'https://ntfy.sh' })] })];
  const receivers = [{ id: 'r-1', name: 'On-call', kind: 'pagerduty', url: 'https://events.pagerduty.com', customer_id: null, severity: 'major', enabled: true, told_at: now - HOUR, failed_at: now - 60_000, last_answer: 'HTTP 429 {"status":"throttle exceeded"}', waiting: 2, failed: 0 },
    { id: 'r-2', name: 'Metrics', kind: 'alertmanager', url: 'http://10.0.0.9:9093', customer_id: null, severity: 'minor', enabled: true, told_at: now - 60_000, failed_at: null, last_answer: 'HTTP 200', waiting: 0, failed: 0 }];
  const deliveries = [{ number: 1031, account: 'Li Wei', channel: 'dingtalk', purpose: 'opened', attempt: 1, at: now - 90_000, ok: true, answer: 'HTTP 200 {"errcode":0,"errmsg":"ok"}', state: 'sent' }, { number: 1031, account: 'Zhao Lin', channel: 'aliyun_sms', purpose: 'opened', attempt: 2, at: now - 95_000, ok: false, answer: 'HTTP 200 {"Code":"isv.BUSINESS_LIMIT_CONTROL"}', state: 'queued' }];
  let hangs = [];
  const looked = { last: null, asked: 0, taken: new Map(), answer(get, body) {
    if (!get) {
      this.asked = 0;
      this.last = { id: 'cmd-look', network: body.net, state: 'running', asked_at: Date.now(), asked_by: 'Chen Yu', ended_at: null, done: 0, all: 0, addresses: 0, complete: false, left_out: 0, error: null, found: [] };
      return { status: 202, body: this.last };
    }
    if (!this.last) return items([]);
    if (this.last.state === 'running' && ++this.asked === 2) Object.assign(this.last, { done: 200, all: 508 });
    if (this.last.state === 'running' && this.asked > 2) Object.assign(this.last, { state: 'done', ended_at: Date.now(), addresses: 254, complete: true, found: [
      ['10.20.7.9', 'DS-2CD2T47G2-L 10.20.7.9', 'camera', 'hikvision', 'DS-2CD2T47G2-L', 'certain', true, ['WS-Discovery names the model']], ['10.20.7.12', 'camera 10.20.7.12', 'camera', 'dahua', '', 'likely', true, ['port 37777 is open']],
      ['10.20.7.2', 'S5120-28P-SI 10.20.7.2', 'switch', 'h3c', 'S5120-28P-SI', 'certain', true, ['sysObjectID 1.3.6.1.4.1.25506.1.578']], ['10.20.7.77', 'other 10.20.7.77', 'other', '', '', 'none', false, []],
    ].map(([address, name, kind, maker, model, certainty, is_proposed, why]) => ({ address, name, class: kind, maker, model, certainty, is_proposed, why, mac: null, parent: null })) });
    return items([{ ...this.last, found: this.last.found.map((one) => { const mine = this.taken.get(one.address); return { ...one, device_id: mine && mine.name !== 'refused' ? devices[0].id : null, device_name: mine?.name ?? null }; }) }]);
  } };
  const localPage = { url: 'http://10.20.7.5/sms', has_template: true, severity: 'major', after_minutes: 10, people: [{ account_id: 'u-2', address: '+8613800000000' }] };
  const duty = size ? [{ id: 'duty-1', site_id: null, account_id: 'u-2' }] : [];
  const clocks = makeClocks(tickets), deals = makeDeals();
  const visits = makeVisits(tickets, me, devices);
  const duties = makeDuty(now, { me, users, sites, devices, empty: size === 0 });
  const short = ({ events, pages, ...ticket }) => ticket;
  const items = (list) => ({ body: { items: list, next: null } });

  function board() {
    const at = Date.now();
    return { at, seq, counts: { leads_to_nobody: 0, gateways: gateways.length, gateways_online: gateways.filter((one) => one.state === 'online').length },
      sites: sites.map((site) => ({ ...site, worst: 'ok', gateway: gateways.filter((one) => one.site_id === site.id).map((one) => ({ id: one.id, name: one.name, state: one.state, state_since: one.state_since, last_heard_at: one.last_heard_at })),
        devices: bySite(site).map((one) => [one.id, one.name, one.class, one.state, one.state_since, one.parent_id, one.position]) })),
      incidents: incidents.filter((one) => one.closed_at === null && !one.cause_id), symptoms: incidents.filter((one) => one.closed_at === null && one.cause_id).map((one) => one.id), tickets: tickets.filter((one) => one.state !== 'closed').map(short), latest };
  }
  function change(id, state) {
    const device = devices.find((one) => one.id === id);
    Object.assign(device, { state, state_since: Date.now() });
    return { seq: ++seq, at: Date.now(), devices: [{ id, site_id: device.site_id, state, state_since: device.state_since }] };
  }
  function history(from, to) {
    const step = (to - from) / 240, gap = [from + (to - from) * 0.6, from + (to - from) * 0.62];
    const wave = (base, swing, k) => Array.from({ length: 240 }, (_, i) => { const at = Math.round(from + i * step); return [at, at > gap[0] && at < gap[1] ? null : Math.round((base + swing * Math.sin(i / 19) + swing * 0.4 * Math.sin(i * k)) * 100) / 100]; });
    const lost = [{ from: Math.round(gap[0]), to: Math.round(gap[1]), records: 412, reason: 'queue_full' }];
    return { lost, series: [{ check: 'icmp', metric: 'rtt_ms', source: 'blocks', step_ms: step, points: wave(4, 1.2, 1.7) }, { check: 'icmp', metric: 'loss_percent', source: 'blocks', step_ms: step, points: wave(2, 2, 2.3) }, { check: 'web', metric: 'elapsed_ms', source: 'rollup', step_ms: step, points: wave(140, 40, 1.1) }] };
  }
  function states(device, from, to) {
    const w = to - from;
    return [{ at: from - HOUR, state: 'ok', because: '' }, { at: from + w * 0.25, state: 'maintenance', because: '' }, { at: from + w * 0.29, state: 'ok', because: '' }, { at: from + w * 0.6, state: 'unknown', because: '' }, { at: from + w * 0.62, state: 'ok', because: '' }, { at: from + w * 0.84, state: 'degraded', because: 'port_closed' }, { at: from + w * 0.865, state: 'ok', because: '' },
      ...(device.state === 'ok' ? [] : [{ at: Math.max(device.state_since, from), state: device.state, because: '' }])].map((one) => ({ ...one, at: Math.round(one.at) }));
  }
  function act(ticket, kind, body) {
    const at = Date.now();
    const to = { ack: 'acked', close: 'closed', reopen: 'open' }[kind];
    if (to) ticket.state = to;
    if (kind === 'ack') Object.assign(ticket, { acked_at: at, acked_by: me.name });
    if (kind === 'close') ticket.closed_at = at;
    if (kind === 'reopen') Object.assign(ticket, { closed_at: null, acked_at: null, acked_by: null });
    if (kind === 'assign') Object.assign(ticket, { assignee_id: body.account_id, assignee: users.find((one) => one.id === body.account_id)?.name ?? null });
    ticket.changed_at = at;
    ticket.events = [...ticket.events, { seq: ticket.events.length + 1, kind: { ack: 'acked', close: 'closed', reopen: 'reopened', assign: 'assigned', note: 'note' }[kind], occurred_at: at, recorded_at: at, actor: me.name, source: 'person', body: { text: body.text ?? body.reason ?? body.note, by: kind === 'ack' ? 'page' : undefined, reason: kind === 'close' ? 'person' : undefined, account: kind === 'assign' ? ticket.assignee : undefined } }];
    return { body: ticket, delta: { seq: ++seq, at, tickets: [short(ticket)] } };
  }
  const promised = makeContracts(size, now, me, sites);
  const followed = makeFollow(size, now, me, sites, visits);
  const complained = makeComplaints(size, now, me, sites, tickets, visits);
  const asked = makeMajors(size, now, me, sites, tickets);
  const inspected = makeInspections(size, now, me, sites, devices);
  const lying = makeParts(sites, users, now);
  if (size === 0) lying.none();
  const missing = { status: 404, error: 'not_found', message: 'there is no such row', hint: 'it may have been removed' };

  function answer(method, path, query, body) {
    const [, first, id, third, fourth, fifth] = path.split('/').map(decodeURIComponent);
    const get = method === 'GET';
    switch (first) {
      case 'me': if (body.language) me.language = body.language; return { body: me };
      case 'board': return { body: board() };
      case 'faults': return items(FAULTS);
      case 'usual-checks': return items(USUAL);
      case 'customers': return get ? items(size ? [{ id: 'customer-1', name: 'Harbour Authority', note: 'class A, 24 × 7', created_at: now, sites: sites.length }] : []) : { body: { id: 'customer-2', ...body } };
      case 'topology': return items(proposals(get ? query.get('site_id') : 'site-0'));
      case 'sites': if (third === 'tags') return visits.tags(method, fourth, body); if (third === 'remedies') return { body: allowed }; return !get ? { body: { id: 'site-0', ...body } } : id ? one(sites, id) : items(sites);
      case 'consignments': return lying.consignments(method, id, third, query, body);
      case 'loaners': return lying.loaners(method, id, third, query, body);
      case 'repairs': return lying.mends(method, id, third, body);
      case 'parts': return lying.answer(method, id, third, body, query);
      case 'inspections': return inspected.answer(method, id, third, query, body);
      case 'contracts': return promised.answer(method, id, third, fourth, query, body);
      case 'calendars': return promised.calendars(id, query);
      case 'wire': return { body: sums() };
      case 'gateways': if (third === 'parents') { if (!get) hangs = body.parents.map((link) => { const { name, state } = devices.find((device) => device.id === link.device_id); return { ...link, name, state, source: 'recorded' }; }); return items(hangs); }
        if (third === 'discoveries') return looked.answer(get, body);
        return third === 'local-page' ? { body: localPage } : third === 'gaps' ? items(gaps) : get ? items(gateways) : { body: { gateway: gateways[0], token: 'swt1.not.a.token', command: 'sitewarden-agent enrol --server https://noc.example.com --token swt1.not.a.token.0123456789abcdef0123456789abcdef' } };
      case 'devices': {
        if (!id && !get) { looked.taken.set(body.address, body); if (body.name === 'refused') return { status: 400, body: { error: { code: 'bad_request', message: 'name: it is taken', hint: 'write another one' } } }; }
        if (!id) return get ? items(devices.filter((device) => !query.get('site_id') || device.site_id === query.get('site_id')).map(detail)) : { body: detail(devices[0]) };
        const device = devices.find((found) => found.id === id);
        if (!device) return missing;
        if (third === 'remedies') return { status: get ? 200 : 202, body: remedies(device) };
        if (third === 'topology') return { body: { ports: ports(device), proposals: proposals(device.site_id).filter((one) => one.device_id === device.id) } };
        if (third === 'port') return { status: 204 };
        if (third === 'events') return items([{ id: 'e2', at: device.state_since, received_at: device.state_since + 400, code: 'unreachable', transition: 'raised', check: 'icmp', last_good_at: null, first_bad_at: null, evidence: { sent: 3, lost: 3 }, clock_offset_ms: 12 }, { id: 'e1', at: now - 30 * HOUR, received_at: now - 29 * HOUR, code: '', transition: 'baseline', check: 'icmp', last_good_at: null, first_bad_at: null, evidence: null, clock_offset_ms: 12 }]);
        if (third === 'states') return items(states(device, Number(query.get('from')), Number(query.get('to'))));
        if (third === 'history') return { body: history(Number(query.get('from')), Number(query.get('to'))) };
        if (third === 'probe') return { status: 202, body: { command_id: 'cmd-1' } };
        return { body: detail(device) };
      }
      case 'commands': return { body: { id, state: 'done', result: '{"state":"down","outcomes":[{"check":"icmp","state":"silent"}]}' } };
      case 'incidents': return items(incidents);
      case 'tickets': {
        if (!id) {
          if (!get) { const made = { ...tickets[0], ...body, id: 'ticket-9', number: 1999, origin: 'person' }; tickets.push(made); return { body: made }; }
          const want = query.get('state');
          return items(tickets.filter((ticket) => (!query.get('device_id') || ticket.device_id === query.get('device_id')) && (!query.get('site_id') || ticket.site_id === query.get('site_id')) && (want === 'all' || !want || (want === 'standing' ? ticket.state !== 'closed' : ticket.state === want))).map(short).sort((a, b) => b.number - a.number));
        }
        const ticket = tickets.find((found) => found.id === id || String(found.number) === id);
        if (!ticket) return missing;
        if (third === 'deal' && method === 'GET') return { body: deals.of(ticket) };
        if (third === 'deal') return { ...deals.settle(ticket, fourth, body, me.name), delta: { seq: ++seq, at: Date.now(), tickets: [short(ticket)] } };
        if (third === 'clocks') return { body: clocks.shown(ticket) };
        if (third === 'visits' || third === 'dispatch' || third === 'knowledge' || third === 'repeats') return visits.answer(method, ['tickets', id, third], query, body);
        if (third === 'facts' || third === 'ruling') return { body: clocks.say(ticket, body, me.name), delta: { seq: ++seq, at: Date.now(), tickets: [short(ticket)] } };
        return third ? act(ticket, third, body) : { body: ticket };
      }
      case 'call-backs': return followed.list();
      case 'complaints': return complained.answer(method, id, third, query, body);
      case 'major-requests': return asked.answer(method, id, third, query, body);
      case 'major-figures': return asked.month(query);
      case 'complaint-figures': return complained.month(query);
      case 'satisfaction': return followed.month(query);
      case 'briefing': return visits.answer(method, [first], query, body);
      case 'knowledge': return visits.answer(method, ['knowledge', id, third], query, body);
      case 'visits': if (third === 'call-backs') return followed.call(method, id, fourth, body); return visits.answer(method, [first, id, third, fourth], query, body);
      case 'clocks': return { body: clocks.board(query.get('state')) };
      case 'users': return third === 'contacts' ? (fourth ? { status: 202, body: { fifth } } : get ? items(id === 'u-2' ? contacts : []) : { body: contacts[0] }) : get ? items(users) : { body: { user: { ...users[1], ...body }, password: 'made-up-pass-word' } };
      case 'channels': return get ? { body: { items: ways, push_alone: ['Zhao Lin'] } } : { body: ways[3] };
      case 'deliveries': return items(deliveries);
      case 'receivers': return third ? { body: { ok: true, answer: 'HTTP 202' } } : get ? items(receivers) : { body: receivers[0] };
      case 'push-key': return { body: { public_key: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4' } };
      case 'duty': return get ? items(duty) : { body: { id: 'duty-2', ...body } };
      case 'search': { const q = (query.get('q') ?? '').toLowerCase(); return { body: { devices: devices.filter((one) => one.name.toLowerCase().includes(q)).slice(0, 10).map(detail), sites: sites.filter((one) => one.name.toLowerCase().includes(q)).slice(0, 10), tickets: tickets.filter((one) => String(one.number).includes(q)).slice(0, 10).map(short) } }; }
      default: return duties(method, path, query, body) ?? missing;
    }
  }
  const RULES = [{ class: 'camera', kind: 'poe_cycle', automatic: true, codes: ['unreachable'], daily_limit: 2, wait_s: 240, days_limit: 3 }, { class: 'nvr', kind: 'reboot', automatic: false, codes: [], daily_limit: 1, wait_s: 240, days_limit: 0 }];
  const allowed = { enabled: true, consent: 'standing', from_minute: 360, to_minute: 1320, rules: RULES, changed_at: now - 40 * HOUR, changed_by: 'Ada',
    consents: [{ id: 'k-1', given_by: '赵主任（物业）', words: '2026-11-01 函，同意夜间远程断电重启', given_at: now - 300 * HOUR, until_at: now + 900 * HOUR, recorded_by: 'Ada', revoked_at: null, holds: true }, { id: 'k-2', given_by: 'Mr Zhao', words: 'by telephone', given_at: now - 900 * HOUR, until_at: now - 400 * HOUR, recorded_by: 'Ada', revoked_at: null, holds: false }],
    kinds: [{ kind: 'poe_cycle', classes: ['camera', 'access', 'phone', 'intrusion', 'other'], automatic: ['camera', 'access', 'phone', 'intrusion', 'other'] }, { kind: 'reboot', classes: ['camera', 'nvr', 'other'], automatic: ['camera', 'other'] }, { kind: 'readd_channel', classes: ['nvr'], automatic: [] }] };
  const REMEDY = { kind: 'poe_cycle', target: { switch_id: 'dev-0-0', switch: 'SW-3', port: 'GE0/7' }, ticket_id: null, ticket_number: null, consent_by: null, reason: '', result: null };
  function remedies(device) {
    return { offers: [{ kind: 'poe_cycle', no: device.class === 'camera' ? null : 'no_port', needs_consent: false, today: 1, daily_limit: 2, switch: 'SW-3', port: 'GE0/7' }, { kind: 'reboot', no: 'no_rights', needs_consent: false, today: 0, daily_limit: 2, switch: null, port: null }],
      record: device.state === 'ok' ? [] : [{ ...REMEDY, id: 'r-2', code: 'unreachable', automatic: true, actor: '', state: 'not_healed', asked_at: now - 396_000, begun_at: now - 394_000, done_at: now - 380_000, ended_at: now - 156_000 },
        { ...REMEDY, id: 'r-1', code: '', automatic: false, actor: 'li.wei', consent_by: '赵主任', state: 'failed', reason: 'unauthorized', asked_at: now - 30 * HOUR, begun_at: now - 30 * HOUR, done_at: null, ended_at: now - 30 * HOUR + 4000, result: { error: 'the switch does not let this login write: noAccess' } }] };
  }
  function ports(device) {
    const above = devices.find((found) => found.id === device.parent_id);
    return above ? [{ switch_id: above.id, switch_name: above.name, name: 'GE0/7', poe_group: 1, poe_port: 7, macs: 1, trunk: false, first_seen_at: now - 900 * HOUR, seen_at: now - 180_000, recorded: false, recorded_by: '' }] : [];
  }
  function proposals(site) {
    const here = devices.filter((device) => device.site_id === site && device.parent_id);
    const above = devices.find((found) => found.id === here[0]?.parent_id);
    return above ? here.slice(0, 3).map((device, i) => ({ id: `p-${i}`, device_id: device.id, device_name: device.name, site_id: site, switch_id: above.id, switch_name: above.name, port: `GE0/${i + 11}`, recorded_id: i === 0 ? 'dev-x' : null, recorded_name: i === 0 ? 'SW-1' : null, created_at: now - HOUR, seen_at: now - 180_000 })) : [];
  }
  function one(list, id) {
    const found = list.find((row) => row.id === id);
    return found ? { body: found } : missing;
  }
  function detail(device) {
    const site = sites.find((found) => found.id === device.site_id), gateway = gateways.find((found) => found.id === device.gateway_id);
    const parent = devices.find((found) => found.id === device.parent_id);
    const parents = parent ? [{ device_id: parent.id, name: parent.name, state: parent.state, kind: 'reach', group: '', source: 'recorded' }] : [];
    return { ...device, parents, site_name: site.name, site_name_zh: site.name_zh, zone: site.zone, checks: [{ name: 'icmp', kind: 'icmp' }, { name: 'rtsp', kind: 'tcp' }, { name: 'web', kind: 'http' }],
      chain: [{ kind: 'gateway', id: gateway.id, name: gateway.name, state: gateway.state }, ...(parent ? [{ kind: 'device', id: parent.id, name: parent.name, state: parent.state }] : []), { kind: 'device', id: device.id, name: device.name, state: device.state }] };
  }
  return { me, board, change, answer, devices, tickets, visits, promised, inspected, lying, followed, complained, asked, deals, taken: looked.taken, get seq() { return seq; } };
}
