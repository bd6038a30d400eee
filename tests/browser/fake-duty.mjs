// Invented duty: a rota with a swap, a gap and somebody who stands in, the log, hand-over sheets, statements, escalation plans,
// the pager's audit, maintenance windows. Changes are kept in memory, so that a test sees what it did.
const MINUTE = 60_000, HOUR = 3_600_000, DAY = 24 * HOUR;

/** Answers the routes around duty; `undefined` for any other. */
export function makeDuty(now, { me, users, sites, devices, empty }) {
  const zone = 'Asia/Shanghai';
  // Midnight at the site, today.
  const today = Math.floor((now + 8 * HOUR) / DAY) * DAY - 8 * HOUR;
  const person = (id) => { const found = users.find((user) => user.id === id); return { id, name: found?.name ?? id, gone: found?.disabled ?? false }; };
  const [li, zhao, ada] = ['u-2', 'u-3', me.id];
  let made = 0;
  const key = (kind) => `${kind}-new-${++made}`;
  const teams = empty ? [] : [{ id: 'team-1', name: '城区班组', note: '', archived_at: null, members: [person(li), person(zhao), person(ada)], customers: [{ id: 'customer-1', name: 'Harbour Authority', name_zh: '' }], sites: [] }];
  const office = `name = "Office"\nzone = "${zone}"\nholidays = "CN"\nmake_up_days = true\n`;
  const plan = { zone, layers: [{ name: 'First line', every: { unit: 'week', count: 1, weekday: 1 }, handover: '08:00', start: '2026-11-16', order: [[ada], [li]], week: Array.from({ length: 7 }, () => ['08:00-22:30']), office }, { name: 'Second line', every: { unit: 'month', count: 1, day: 1 }, handover: '08:00', start: '2026-11-01', order: [[li]], week: null, office: null }] };
  const overrides = empty ? [] : [{ id: 'o-1', layer: 0, out: person(ada), by: person(li), from_at: today + 2 * DAY + 8 * HOUR, to_at: today + 2 * DAY + 22.5 * HOUR, reason: '培训 training', swap_id: null, actor: 'Ada', removed_at: null, removed_by: null },
    { id: 'o-2', layer: 0, out: person(ada), by: null, from_at: today + 5 * DAY + 8 * HOUR, to_at: today + 5 * DAY + 12 * HOUR, reason: 'leave', swap_id: null, actor: 'Ada', removed_at: null, removed_by: null }];
  const swaps = empty ? [] : [{ id: 's-1', rota_id: 'rota-1', rota: '城区值班', asker: person(li), mine: { layer: 0, from_at: today + 8 * DAY + 8 * HOUR, to_at: today + 8 * DAY + 22.5 * HOUR }, other: person(ada), theirs: null, reason: 'school meeting', state: 'requested', asked_at: now - HOUR, answered_at: null, answer: '' }];

  /** Every day from eight to half past ten in the evening, weeks in turn; the second line never ends. */
  function layout(from, to) {
    const shifts = [], gaps = [];
    for (let day = today - 60 * DAY; day < today + 90 * DAY; day += DAY) {
      const start = day + 8 * HOUR, end = day + 22.5 * HOUR, week = Math.floor((day - today + 700 * DAY) / (7 * DAY));
      const who = week % 2 === 0 ? ada : li, turn = today - 700 * DAY + week * 7 * DAY + 8 * HOUR;
      let pieces = [{ start, end, who, instead: null, by: null }];
      for (const one of overrides.filter((other) => other.removed_at === null && other.from_at < end && start < other.to_at)) {
        pieces = pieces.flatMap((piece) => {
          if (piece.who !== one.out?.id || one.to_at <= piece.start || one.from_at >= piece.end) return [piece];
          const inner = { start: Math.max(piece.start, one.from_at), end: Math.min(piece.end, one.to_at) };
          if (!one.by) gaps.push({ layer: 0, from_at: inner.start, to_at: inner.end, why: 'let_out' });
          return [{ ...piece, end: inner.start }, ...(one.by ? [{ ...inner, who: one.by.id, instead: one.out, by: one.id }] : []), { ...piece, start: inner.end }].filter((part) => part.start < part.end);
        });
      }
      for (const piece of pieces) shifts.push({ layer: 0, account_id: piece.who, name: person(piece.who).name, instead_of: piece.instead, override_id: piece.by, start_at: piece.start, end_at: piece.end, turn_start_at: turn, turn_end_at: turn + 7 * DAY });
    }
    shifts.push({ layer: 1, account_id: li, name: person(li).name, instead_of: null, override_id: null, start_at: today - 40 * DAY, end_at: today + 20 * DAY, turn_start_at: today - 40 * DAY, turn_end_at: today + 20 * DAY });
    const within = (one, begin, end) => one[begin] < to && from < one[end];
    return { shifts: shifts.filter((one) => within(one, 'start_at', 'end_at')), gaps: gaps.filter((one) => within(one, 'from_at', 'to_at')), overrides: overrides.filter((one) => within(one, 'from_at', 'to_at')) };
  }
  const rotas = empty ? [] : [{ id: 'rota-1', name: '城区值班', note: '', team_id: 'team-1', team: '城区班组', zone, layers: ['First line', 'Second line'], archived_at: null }];
  function summary(rota) {
    const { shifts, gaps } = layout(now, now + 14 * DAY);
    const on_duty = shifts.filter((one) => one.start_at <= now && now < one.end_at);
    return { ...rota, in_force: [on_duty.some((one) => one.layer === 0), true], on_duty, next: shifts.filter((one) => one.start_at > now).slice(0, 2), gaps };
  }

  const call = (more) => ({ account_id: ada, name: me.name, rota_id: 'rota-1', phone: '', site_id: null, site: null, site_zh: null, ticket_number: null, recorded_by: me.name, recorded_at: now, corrected: false, ...more });
  const calls = empty ? [] : [call({ id: 'call-1', caller: 'Guard Chen', phone: '0756-333 0101', site_id: 'site-0', site: 'North Gate', site_zh: '北门站', ticket_number: 1031, matter: '2 号道闸不落杆', result: '电话指导复位，已恢复', started_at: now - 5 * HOUR, length_s: 372 }),
    call({ id: 'call-2', account_id: li, name: person(li).name, caller: '王主任', matter: 'asks when the camera at pole 6 is back', result: 'told that a technician is on the way', started_at: now - 30 * HOUR, length_s: 95, corrected: true })];
  const facts = empty ? [] : [{ id: 'fact-1', person: person(ada), kind: 'overtime', from_at: now - 29 * HOUR, to_at: now - 26 * HOUR, ticket_number: 1001, note: 'motor of barrier 2 replaced', recorded_by: me.name, recorded_at: now - 25 * HOUR, withdrawn_at: null, withdrawn_by: null, withdrawn_why: null },
    { id: 'fact-2', person: person(li), kind: 'unreachable', from_at: now - 50 * HOUR, to_at: null, ticket_number: null, note: '两次拨打无人接听', recorded_by: me.name, recorded_at: now - 49 * HOUR, withdrawn_at: now - 40 * HOUR, withdrawn_by: me.name, withdrawn_why: '当时在隧道内，无信号' }];
  const body = () => ({ zone, duty_s: 7 * 14.5 * 3600, shifts: 7, calls_s: 467, calls: calls.slice(0, 2), unsolved: [{ id: 't-1', number: 1031, title: '', code: 'unreachable', severity: 'critical', site: 'North Gate', site_zh: '北门站', device: 'cam-06', opened_at: now - 5 * HOUR, owner: 'Li Wei', needs_successor: true }, { id: 't-2', number: 1032, title: '标签缺失 label missing', code: '', severity: 'minor', site: 'North Gate', site_zh: '北门站', device: null, opened_at: now - 90 * HOUR, owner: null, needs_successor: false }] });
  const sheet = (more) => ({ rota_id: 'rota-1', rota: '城区值班', from: person(ada), to: person(li), from_at: today - 7 * DAY, to_at: today, state: 'handed', note: '', body: body(), handed_at: now - HOUR, accepted_at: null, accept_note: '', ...more });
  const sheets = empty ? [] : [sheet({ id: 'sheet-1', from: person(li), to: person(ada), note: '六号杆的备件周五到' }), sheet({ id: 'sheet-2', from_at: today - 14 * DAY, to_at: today - 7 * DAY, state: 'accepted', accepted_at: now - 7 * DAY, accept_note: 'fine' })];
  const line = (kind, amount_fen, more = {}) => ({ kind, at: null, seconds: null, of_seconds: null, rate_fen: Math.abs(amount_fen), amount_fen, ...more });
  const statements = empty ? [] : [{ account_id: ada, name: me.name, month: '2026-11', zone, total_fen: 71_500, provisional: true, closed_at: null, lines: [line('allowance', 60_000, { seconds: 12 * 14.5 * 3600 }), line('overtime_rest', 21_500, { at: now - 29 * HOUR, seconds: 3 * 3600, rate_fen: 7167 }), line('complaint', -10_000, { at: now - 80 * HOUR })] }];
  const terms = [{ from_month: '2026-11', terms: { allowance_fen: 60_000, allowance_by_share: true, complaint_fen: 10_000, absence_fen: 20_000, unreachable_fen: 5_000, ordinary_hour_fen: 4_300, rest_hour_fen: 7_167, statutory_hour_fen: 10_750, calendar: office } }];

  const step = (after_s, targets, more = {}) => ({ after_s, targets, when: blank(), quiet: null, ...more });
  const blank = () => ({ severities: [], classes: [], customers: [], sites: [], hours: null });
  const everyday = { when: blank(), steps: [step(0, [{ kind: 'rota', rota_id: 'rota-1', layer: 0 }]), step(900, [{ kind: 'person', account_id: li }, { kind: 'skill', skill: 'high voltage', within_km: 30 }]), step(1800, [{ kind: 'manager' }])], rounds: 2, round_every_s: 1800, answer_s: 900, ack_s: 3600 };
  const plans = empty ? [] : [{ id: 'plan-1', name: '日常', site_id: null, site_name: null, customer_id: null, customer_name: null, position: 0, plan: everyday, changed_at: now - DAY }];
  const roles = empty ? [] : [{ id: 'role-1', kind: 'manager', site_id: null, site_name: null, customer_id: 'customer-1', customer_name: 'Harbour Authority', account_id: li, account: 'Li Wei' }, { id: 'role-2', kind: 'expert', site_id: null, site_name: null, customer_id: null, customer_name: null, account_id: ada, account: me.name }];
  const who = (account, because, channels, waits = [], distance_km = null) => ({ account, because, language: 'zh', channels, waits, distance_km });
  function forecast(query) {
    const local = query.get('local'), at = local ? Date.parse(`${local}:00+08:00`) : now, begins_at = at + 30 * MINUTE;
    const one = (minutes, kind, number, people, more = {}) => ({ at: begins_at + minutes * MINUTE, kind, round: number ? 1 : null, step: number, reason: null, until: null, people, ...more });
    const device = devices.find((found) => found.id === query.get('device_id'));
    return { device: device?.name ?? 'cam-06', site: 'North Gate', site_zh: '北门站', zone, fault: query.get('fault'), severity: 'major', at, begins_at, plan: '日常', reaches_somebody: true,
      withheld: [{ reason: 'maintenance', ticket: null, from: at - HOUR, until: begins_at, detail: '更换光缆 new fibre' }], informed: [],
      steps: [one(0, 'step_asked', 1, [who(me.name, 'rota', ['email', 'webhook'], [{ channel: 'email', reason: 'quiet', until: begins_at + 4 * HOUR }])]), one(15, 'step_asked', 2, [who('Li Wei', 'person', ['aliyun_sms']), who('Zhao Lin', 'skill', [], [], 12.4)]), one(45, 'step_passed', 3, [], { reason: 'hours' }), one(60, 'manager_asked', null, [who('Li Wei', 'manager', ['aliyun_sms'])]), one(75, 'nobody_left', null, [])] };
  }
  const pager = { audited_at: now - 20_000, passed_at: empty ? now - 20_000 : now - 3 * HOUR,
    findings: empty ? [] : [{ kind: 'rota_gap', subject: 'rota-1/0/1', label: '城区值班', detail: '2026-12-01T00:00:00Z – 2026-12-01T04:00:00Z', since: now - 2 * HOUR }, { kind: 'address_gone', subject: 'c-3', label: 'Li Wei · web_push', detail: 'HTTP 410 push subscription has unsubscribed or expired', since: now - HOUR }, { kind: 'push_alone', subject: 'u-3', label: 'Zhao Lin', detail: '', since: now - HOUR }, { kind: 'no_next_step', subject: '1031', label: '#1031', detail: 'spent', since: now - 5 * MINUTE }],
    heartbeats: empty ? [] : [{ id: 'hb-1', name: 'Watchdog', host: 'hc-ping.com', method: 'GET', tried_at: now - 3 * HOUR, sent_at: now - 3 * HOUR, last_answer: 'HTTP 200' }],
    peers: empty ? [] : [{ id: 'peer-1', name: 'Harbour II', site_id: 'site-0', limit_s: 300, heard_at: now - 40_000, silent_since: null, ticket_id: null }, { id: 'peer-2', name: '备用中心', site_id: 'site-0', limit_s: 300, heard_at: now - 20 * MINUTE, silent_since: now - 15 * MINUTE, ticket_id: 'ticket-1031' }] };
  const window_ = (more) => ({ site_id: 'site-0', site_name: 'North Gate', site_name_zh: '北门站', zone, gateway_id: null, gateway_name: null, device_id: null, device_name: null, code: '', kind: 'fixed', length_ms: null, began_at: null, ended_at: null, creator: 'Ada', created_at: now - DAY, ended_by: '', ...more });
  const windows = empty ? [] : [window_({ id: 'w-1', state: 'running', starts_at: now - HOUR, ends_at: now + HOUR, began_at: now - HOUR, until: now + HOUR, reason: '更换光缆 new fibre' }),
    window_({ id: 'w-2', state: 'waiting', kind: 'visit', device_id: 'dev-0-9', device_name: 'cam-06', starts_at: now - HOUR, ends_at: now + 5 * HOUR, length_ms: 2 * HOUR, until: now + 5 * HOUR, reason: 'visit by the painters' }),
    window_({ id: 'w-3', state: 'planned', kind: 'flexible', code: 'port_closed', starts_at: now + DAY, ends_at: now + 2 * DAY, length_ms: HOUR, until: now + 2 * DAY, reason: 'firmware' }),
    window_({ id: 'w-4', state: 'over', starts_at: now - 3 * DAY, ends_at: now - 2 * DAY, began_at: now - 3 * DAY, ended_at: now - 2.5 * DAY, until: now - 2.5 * DAY, ended_by: 'Ada', reason: 'UPS test' })];

  const items = (list) => ({ body: { items: list, next: null } });
  const missing = { status: 404, error: 'not_found', message: 'there is no such row', hint: 'it may have been removed' };
  const drop = (list, id) => { const at = list.findIndex((one) => one.id === id); if (at >= 0) list.splice(at, 1); return { status: 204 }; };
  const add = (list, row, status = 201) => { list.push(row); return { status, body: row }; };

  return function answer(method, path, query, sent) {
    const [, first, id, third, fourth] = path.split('/').map(decodeURIComponent);
    const get = method === 'GET';
    switch (first) {
      case 'rotas': {
        if (id === 'preview') return { body: layout(now, now + 14 * DAY) };
        if (!id) return get ? items(rotas.map(summary)) : add(rotas, { id: key('rota'), note: '', team: teams.find((one) => one.id === sent.team_id)?.name ?? '', zone: sent.plan.zone, layers: sent.plan.layers.map((layer) => layer.name), archived_at: null, ...sent });
        const rota = rotas.find((one) => one.id === id);
        if (!rota) return missing;
        if (third === 'shifts') return { body: layout(Number(query.get('from_at')), Number(query.get('to_at'))) };
        if (third === 'overrides' && method === 'DELETE') { Object.assign(overrides.find((one) => one.id === fourth), { removed_at: now, removed_by: me.name }); return { status: 204 }; }
        if (third === 'overrides') return add(overrides, { id: key('o'), layer: sent.layer ?? null, out: sent.out_id ? person(sent.out_id) : null, by: sent.by_id ? person(sent.by_id) : null, from_at: sent.from_at, to_at: sent.to_at, reason: sent.reason, swap_id: null, actor: me.name, removed_at: null, removed_by: null });
        if (third === 'swaps') return add(swaps, { id: key('s'), rota_id: id, rota: rota.name, asker: person(me.id), mine: sent.mine, other: person(sent.other_id), theirs: sent.theirs, reason: sent.reason, state: 'requested', asked_at: now, answered_at: null, answer: '' });
        return { body: { ...summary(rota), plan, versions: [] } };
      }
      case 'swaps': {
        if (!id) return items(swaps);
        const swap = swaps.find((one) => one.id === id);
        swap.state = { accept: 'accepted', decline: 'declined', withdraw: 'withdrawn' }[third];
        if (swap.state === 'accepted') overrides.push({ id: key('o'), layer: swap.mine.layer, out: swap.asker, by: swap.other, from_at: swap.mine.from_at, to_at: swap.mine.to_at, reason: swap.reason, swap_id: swap.id, actor: me.name, removed_at: null, removed_by: null });
        return { body: swap };
      }
      case 'feeds': return { body: { url: `https://noc.example.com/c/made-up-${sent.rota_id ?? 'own'}.ics` } };
      case 'teams': {
        if (get) return items(teams);
        const served = (list, ids) => (ids ?? []).map((one) => list.find((row) => row.id === one) ?? { id: one, name: 'Harbour Authority', name_zh: '' }).map((one) => ({ id: one.id, name: one.name, name_zh: one.name_zh ?? '' }));
        const change = { ...(sent.name && { name: sent.name }), ...(sent.note !== undefined && { note: sent.note }), ...(sent.members && { members: sent.members.map(person) }), ...(sent.customers && { customers: served([], sent.customers) }), ...(sent.sites && { sites: served(sites, sent.sites) }), ...(sent.archived !== undefined && { archived_at: sent.archived ? now : null }) };
        if (!id) return add(teams, { id: key('team'), name: '', note: '', archived_at: null, members: [], customers: [], sites: [], ...change });
        return { body: Object.assign(teams.find((one) => one.id === id), change) };
      }
      case 'calls': {
        if (get) return items([...calls].sort((a, b) => b.started_at - a.started_at));
        const site = sites.find((one) => one.id === sent.site_id);
        const row = call({ ...sent, id: key('call'), account_id: sent.account_id ?? me.id, name: person(sent.account_id ?? me.id).name, site: site?.name ?? null, site_zh: site?.name_zh ?? null, ticket_number: sent.ticket ? Number(sent.ticket) : null, corrected: third === 'correct' });
        if (third === 'correct') drop(calls, id);
        return add(calls, row);
      }
      case 'duty_facts': {
        if (get) return items(facts);
        if (third === 'withdraw') { Object.assign(facts.find((one) => one.id === id), { withdrawn_at: now, withdrawn_by: me.name, withdrawn_why: sent.reason }); return { status: 204 }; }
        return add(facts, { id: key('fact'), ticket_number: null, recorded_by: me.name, recorded_at: now, withdrawn_at: null, withdrawn_by: null, withdrawn_why: null, ...sent, person: person(sent.account_id) });
      }
      case 'handovers': {
        if (id === 'draft') return { body: sheet({ id: '', to: null, state: 'draft', handed_at: null, from_at: Number(query.get('from_at')), to_at: Number(query.get('to_at')) }) };
        if (method === 'DELETE') return drop(sheets, id);
        if (third === 'accept') return { body: Object.assign(sheets.find((one) => one.id === id), { state: 'accepted', accepted_at: now, accept_note: sent.note }) };
        return get ? items(sheets) : add(sheets, sheet({ id: key('sheet'), to: person(sent.to_id), from_at: sent.from_at, to_at: sent.to_at, note: sent.note, handed_at: now }));
      }
      case 'statements': return get ? items(statements.map((one) => ({ ...one, month: query.get('month') }))) : { body: Object.assign(statements[0], { closed_at: now }) };
      case 'duty_terms': return get ? items(terms) : { status: 204 };
      case 'escalation':
        if (id === 'forecast') return { body: forecast(query) };
        if (id === 'check') return { body: { site: 'North Gate', sites: sites.length, leads_to_nobody: [], steps: sent.plan.steps.map(() => [who('Li Wei', 'person', ['aliyun_sms'])]) } };
        if (id === 'people') return method === 'DELETE' ? drop(roles, third) : get ? items(roles) : add(roles, { id: key('role'), site_id: null, site_name: null, customer_id: null, customer_name: null, ...sent, account: person(sent.account_id).name });
        if (method === 'DELETE') return drop(plans, third);
        if (method === 'PUT') return { body: Object.assign(plans.find((one) => one.id === third), sent) };
        return get ? items(plans) : add(plans, { id: key('plan'), site_name: null, customer_name: null, changed_at: now, ...sent });
      case 'skills': return items(['fibre', 'high voltage']);
      case 'pager':
        if (id === 'heartbeats') return method === 'DELETE' ? drop(pager.heartbeats, third) : add(pager.heartbeats, { id: key('hb'), host: new URL(sent.address).host, method: 'GET', tried_at: null, sent_at: null, last_answer: '', ...sent });
        if (id === 'peers') { if (method === 'DELETE') return drop(pager.peers, third); add(pager.peers, { id: key('peer'), heard_at: null, silent_since: null, ticket_id: null, ...sent }); return { status: 201, body: { id: 'peer-new', address: 'https://noc.example.com/api/v1/heartbeat?token=made-up' } }; }
        return { body: pager };
      case 'maintenance': {
        if (!id) return get ? items(windows.filter((one) => (query.get('state') === 'all' || one.state !== 'over') && (!query.get('site_id') || one.site_id === query.get('site_id')))) : add(windows, window_({ id: key('w'), state: 'planned', until: sent.ends_at, ...sent }));
        const found = windows.find((one) => one.id === id);
        if (third === 'end') Object.assign(found, { state: 'over', ended_at: now, until: now, ended_by: me.name });
        if (third === 'extend') Object.assign(found, { until: sent.until, ends_at: sent.until });
        if (third === 'arrive') Object.assign(found, { state: 'running', began_at: now, until: now + (found.length_ms ?? HOUR) });
        return found ? { body: found } : missing;
      }
      default: return undefined;
    }
  };
}
