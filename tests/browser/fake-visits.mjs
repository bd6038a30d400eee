// Invented visits for the fake server: planned, stepped through, kept by the ids that the page makes.
const ORDER = ['planned', 'assigned', 'accepted', 'departed', 'arrived', 'working', 'paused', 'done', 'signed'];
const HOUR = 3_600_000;

/** The visits of all tickets; `me` goes on the first one. */
export function makeVisits(tickets, me, devices) {
  const visits = [], steps = new Map(), photos = new Map();
  const ticketOf = (id) => tickets.find((one) => one.id === id || String(one.number) === id);
  function add(id, ticket, { purpose = '', members = [], planned_at = null, follows_id = null, at = Date.now() }) {
    const visit = { id, ticket_id: ticket.id, number: visits.filter((one) => one.ticket_id === ticket.id).length + 1, purpose, planned_at, follows_id, state: 'planned', reason: '', level: '', arrived_at: null, members: [], form: {}, photos: 0, inspection_id: null, created_by: me.name, created_at: at, changed_at: at, events: [] };
    visits.push(visit);
    if (members.length) step(visit, `${id}-1`, { kind: 'assigned', members }, at);
    return visit;
  }
  function step(visit, id, body, at = Date.now()) {
    const event = { id, seq: visit.events.length + 1, kind: body.kind, occurred_at: body.device_at ? body.device_at - (body.device_now - at) : (body.occurred_at ?? at), recorded_at: at, device_at: body.device_at ?? null, skew_ms: body.device_now ? body.device_now - at : null, actor: me.name, source: body.source ?? 'desk', body: {} };
    const { reason, note, who, fields, satisfied, signature } = body;
    Object.assign(event.body, JSON.parse(JSON.stringify({ reason, text: note, who, fields, satisfied, signature })));
    if (body.kind === 'assigned') {
      for (const one of body.members) visit.members.push({ account_id: one, name: one === me.id ? me.name : 'wang.min' });
      event.body.people = visit.members.map((one) => one.name);
    }
    if (body.kind === 'accepted' && !visit.members.some((one) => one.account_id === me.id)) visit.members.push({ account_id: me.id, name: me.name });
    if (body.kind === 'arrived') {
      event.body.evidence = (body.evidence ?? []).map((piece) => ({ ...piece, ...(piece.code === '000000' ? { doubt: 'wrong_code' } : piece.kind === 'qr' ? { doubt: 'tag_alone' } : {}) }));
      const held = event.body.evidence.filter((piece) => !piece.doubt);
      visit.level = held[0]?.kind ?? (event.body.evidence.length ? 'claimed' : 'stated');
      visit.arrived_at = event.occurred_at;
    }
    for (const [field, text] of Object.entries(fields ?? {})) visit.form[field] = { text, by: me.name, seq: event.seq };
    const to = ORDER.indexOf(body.kind);
    if (to > ORDER.indexOf(visit.state) || (visit.state === 'paused' && body.kind === 'working')) visit.state = body.kind;
    if (!ORDER.includes(body.kind) && !['called', 'written'].includes(body.kind)) visit.state = body.kind;
    visit.reason = ['paused', 'unsigned', 'cancelled'].includes(body.kind) ? (reason ?? '') : '';
    visit.changed_at = at;
    visit.events.push(event);
    steps.set(id, { visit: visit.id, body: told(body) });
  }
  /** What is compared: all but what the clock shows while it is sent. */
  const told = (body) => JSON.stringify({ ...body, device_now: null });
  const story = (visit) => {
    const ticket = ticketOf(visit.ticket_id), device = devices.find((one) => one.id === ticket.device_id);
    return { ...visit, ticket_number: ticket.number, ticket_state: ticket.state, title: ticket.title, code: ticket.code, severity: ticket.severity, opened_at: ticket.opened_at, device_id: ticket.device_id, device_name: ticket.device_name, device_state: device?.state ?? null,
      site_id: ticket.site_id, site_name: ticket.site_name, site_name_zh: ticket.site_name_zh, zone: ticket.zone, address: '1 Gate Road', contact_name: 'Ms Zhou', contact_phone: '+86 10 5555 0101', due_at: visit.arrived_at ? null : ticket.opened_at + 2 * HOUR, due_what: visit.arrived_at ? null : 'Arrival 到场' };
  };
  const standing = tickets.filter((one) => one.state !== 'closed');
  if (standing[0]) {
    const at = Date.now() - 40 * 60_000;
    add('00000000-0000-4000-8000-000000000001', standing[0], { purpose: 'Look at the plug and the port', members: [me.id], at });
  }
  const shown = ticketOf('1032');
  if (shown) {
    const at = Date.now() - 50 * 60_000, visit = add('00000000-0000-4000-8000-000000000002', shown, { purpose: 'Exchange the camera', members: ['user-2'], at });
    step(visit, 's-2', { kind: 'accepted', source: 'phone' }, at + 60_000);
    step(visit, 's-3', { kind: 'departed', source: 'phone' }, at + 300_000);
    step(visit, 's-4', { kind: 'arrived', source: 'phone', evidence: [{ kind: 'qr', code: 'SW-TAG:x' }] }, at + 1_500_000);
    step(visit, 's-5', { kind: 'arrived', source: 'phone', evidence: [{ kind: 'gateway_code', code: '402117' }] }, at + 1_560_000);
    step(visit, 's-6', { kind: 'working', source: 'phone' }, at + 1_600_000);
    step(visit, 's-7', { kind: 'written', source: 'phone', fields: { symptom: 'no picture', cause: 'water in the plug' } }, at + 2_000_000);
  }

  /** What helped before: the same fault on the same device twice, on its model, and on another day. */
  function known(words) {
    const one = (why, number, more) => ({ why, times: 1, ticket_number: number, title: '', code: 'unreachable', device: 'cam-3', class: 'camera', model: 'DS-2CD2143G0-I', site: 'North Gate', site_zh: '北门站', symptom: '无画面 no picture', cause: '接头进水 water in the plug', solution: '更换防水接头 new gel-filled plug', at: Date.now() - number * HOUR, ...more });
    const all = [one('again', 1001, { times: 2 }), one('model', 1002, { device: 'cam-9', cause: '网线老化 worn cable', solution: '重做网线 new cable' }), one('class', 1003, { model: '', symptom: '', cause: '', solution: '重启交换机端口 port of the switch cycled' }), one('device', 1004, { code: '', title: '镜头脏 dirty lens', cause: '灰尘 dust', solution: '清洁镜头 lens cleaned' })];
    if (words === null) return all;
    return all.filter((case_) => JSON.stringify(case_).toLowerCase().includes(words.toLowerCase())).map((case_) => ({ ...case_, why: 'words' }));
  }

  /** The manual: one page, and one proposal that waits for a decision. */
  const words = { code: 'unreachable', class: 'camera', model: '', symptom: '雨后无画面 no picture after rain', cause: '接头进水 water in the plug', solution: '更换防水接头并检查密封圈\nFit a gel-filled plug and look at the seal' };
  const mark = { times: 3, made_by: me.name, made_at: Date.now() - 9 * 24 * HOUR, changed_by: me.name, changed_at: Date.now() - 9 * 24 * HOUR };
  const pages = [{ id: 'page-1', cause_key: 'unreachable: water', state: 'accepted', words, ...mark }];
  const offers = [{ cause_key: 'storage_failed: worn', words: { ...words, code: 'storage_failed', class: 'nvr', symptom: '', cause: '硬盘老化 worn disk', solution: '更换硬盘 new disk' }, solutions: ['更换硬盘 new disk', '更换硬盘并重建 new disk, rebuilt'], tickets: [1004, 1003, 1001] }];
  function manual(method, room, id, query, body) {
    const decided = (one) => pages.some((page) => page.cause_key === one.cause_key);
    if (room === 'proposals') return { body: { items: offers.filter((one) => !decided(one)), next: null } };
    const at = pages.findIndex((page) => page.id === id), asked = (query.get('q') ?? '').toLowerCase();
    if (method === 'GET') return { body: { items: pages.filter((page) => page.state === 'accepted' && JSON.stringify(page.words).toLowerCase().includes(asked)), next: null } };
    if (method === 'DELETE') { pages.splice(at, 1); return { status: 204 }; }
    if (method === 'PUT') { pages[at] = { ...pages[at], words: body.words, changed_at: pages[at].changed_at + 1 }; return { body: pages[at] }; }
    pages.unshift({ ...mark, id: `page-${pages.length + 1}-${Date.now()}`, cause_key: body.cause_key, state: body.words ? 'accepted' : 'passed', words: body.words ?? words });
    return { status: 201, body: pages[0] };
  }

  /** Who may go: one who can, one whose certificate has run out, one who is elsewhere, and many more; asked for no skill, the last first. */
  function dispatch(ticket, query) {
    const visit = query.get('visit'), none = query.get('skill') === '', at = Number(query.get('at')) || Date.now();
    const person = (id, account, more) => ({ account_id: id, account, fit: true, engineer: false, team: null, on_duty: false, van: false, km: 8.4, from: 'home', skill: null, there_at: at + HOUR / 2, late: false, taken_by: null, visits: 0, ...more });
    const skill = (state, expires_at = null) => (none ? null : { state, skill: state === 'missing' ? '' : 'CCTV', certificate: state === 'missing' ? '' : 'AF-77', expires_at });
    const people = [
      person('user-2', 'wang.min', { skill: skill('has'), engineer: true, van: true, visits: 2 }),
      person(me.id, me.name, { skill: skill('missing'), fit: none, on_duty: true, km: null, from: null, there_at: null, late: null }),
      person('user-3', 'zhao.lei', { skill: skill('expired', Date.now() - 40 * 24 * HOUR), fit: none, team: 'Zhuhai' }),
      person('user-4', 'sun.jie', { skill: skill('has'), fit: false, taken_by: visit ? null : 1029, visits: 1, from: 'visit', km: 61.2, late: true, there_at: at + 2 * HOUR }),
      ...[5, 6, 7, 8].map((n) => person(`user-${n}`, `technician.${n}`, { skill: skill('missing'), fit: none, km: 10 + n })),
    ];
    return { skills: none ? [] : ['CCTV'], due_at: ticket.opened_at + 2 * HOUR, placed: true, items: people, more: 0, managers: [] };
  }
  /** What to know before: the way, notes, an earlier ticket and what helped, another device that does not work. */
  function briefing() {
    const now = Date.now(), mine = visits.filter((one) => one.members.some((member) => member.account_id === me.id));
    return {
      shifts: [{ rota: 'Nights', layer: 'First line', start_at: now - HOUR, end_at: now + 7 * HOUR }],
      items: mine.map((one) => {
        const ticket = ticketOf(one.ticket_id), device = devices.find((known) => known.id === ticket.device_id);
        return {
          visit_id: one.id, notes: 'Key at the guard house.\nLadder in room 2.', lat: 31.2304, lon: 121.4737,
          device: device ? { id: device.id, class: device.class, place: 'Pole 7', address: '10.0.0.31', model: 'DS-2CD', serial: 'F812', state: device.state, since: now - HOUR, known_at: now - 60_000, parents: [{ name: 'sw-1', state: 'ok' }], faults: [{ code: ticket.code, since: now - HOUR }] } : null,
          history: [{ number: 987, code: ticket.code, title: '', opened_at: now - 900 * HOUR, closed_at: now - 896 * HOUR, cause: 'water in the plug', solution: 'new plug, gel-filled' }],
          around: [{ name: 'cam-west', class: 'camera', state: 'down', since: now - 2 * HOUR }], around_more: 3,
        };
      }),
    };
  }
  const hung = [{ id: 'tag-1', code: 'SW-TAG:Zm9yIGEgdGVzdA', place: 'Door of the plant room', made_by: me.name, made_at: Date.now() - 90 * 24 * HOUR, revoked_at: null }];
  function tags(method, id, body) {
    if (method === 'POST') { hung.unshift({ ...hung[0], id: `tag-${hung.length + 1}`, place: body.place, made_at: Date.now(), revoked_at: null }); return { status: 201, body: hung[0] }; }
    if (method === 'DELETE') { hung.find((one) => one.id === id).revoked_at = Date.now(); return { status: 204 }; }
    return { body: { items: hung, next: null } };
  }
  function answer(method, [room, id, sub, key], query, body) {
    const missing = { status: 404, error: 'not_found', message: `there is no ${room} ${id}`, hint: null };
    if (room === 'briefing') return { body: briefing() };
    if (room === 'tickets' && sub === 'knowledge') return { body: { items: ticketOf(id).device_id ? known(null) : [], next: null } };
    if (room === 'knowledge' && id) return manual(method, id, sub, query, body);
    if (room === 'knowledge') return { body: { items: known(query.get('q') ?? ''), next: null } };
    if (room === 'tickets' && sub === 'repeats') return { body: ticketOf(id).device_id ? { items: [{ number: 987, opened_at: Date.now() - 300 * HOUR, closed_at: Date.now() - 290 * HOUR, repaired: true, cause: '接头进水 water in the plug', solution: '更换防水接头 new gel-filled plug' }, { number: 903, opened_at: Date.now() - 900 * HOUR, closed_at: Date.now() - 899 * HOUR, repaired: false, cause: '', solution: '' }], after_repair: 987 } : { items: [], after_repair: null } };
    if (room === 'tickets' && sub === 'dispatch') return { body: dispatch(ticketOf(id), query) };
    if (room === 'tickets') return { body: { items: visits.filter((one) => one.ticket_id === ticketOf(id)?.id).map(story), next: null } };
    if (!id) return { body: { items: visits.filter((one) => !['filed', 'cancelled'].includes(one.state) && (query.get('mine') !== 'true' || one.members.some((member) => member.account_id === me.id))).map(story), next: null } };
    const visit = visits.find((one) => one.id === id);
    if (method === 'PUT' && !sub) {
      const ticket = ticketOf(body.ticket_id);
      return ticket ? { body: story(visit ?? add(id, ticket, body)) } : missing;
    }
    if (!visit) return missing;
    if (sub === 'photos') {
      const known = photos.get(key);
      if (method === 'GET') return known ? { file: known } : missing;
      if (known) return known.equals(body) ? { body: story(visit) } : { status: 409, error: 'other_photo', message: `there is something else under ${key}`, hint: null };
      photos.set(key, body);
      visit.photos++;
      const at = Date.now(), device_at = Number(query.get('device_at'));
      visit.events.push({ id: key, seq: visit.events.length + 1, kind: 'photo', occurred_at: device_at, recorded_at: at, device_at, skew_ms: Number(query.get('device_now')) - at, actor: me.name, source: 'phone', body: { bytes: body.length, ...(query.get('item') ? { item: query.get('item'), device_id: query.get('device_id') ?? '' } : {}) } });
      return { body: story(visit) };
    }
    if (sub === 'parts') {
      visit.parts = [...(visit.parts ?? []).filter((part) => part.id !== key), { id: key, ...body }];
      return { body: { id: key } };
    }
    if (sub === 'steps') {
      const known = steps.get(key);
      if (known) return known.body === told(body) ? { body: story(visit) } : { status: 409, error: 'other_step', message: `there is another step ${key}`, hint: null };
      if (visit.state === 'cancelled') return { status: 409, error: 'not_possible', message: `visit ${visit.number}: the visit was cancelled`, hint: 'look at it anew' };
      step(visit, key, body);
    }
    return { body: story(visit) };
  }
  return { answer, tags, visits, photos };
}
