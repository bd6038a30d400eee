// Invented inspections for the fake server: one of each state around today, plans that wait, gaps, and a site that was half looked at.
const DAY = 86_400_000;
const items = (list) => ({ body: { items: list, next: null } });

export function makeInspections(size, now, me, sites, devices) {
  const day = (days) => new Date(now + 8 * 3_600_000 + days * DAY).toISOString().slice(0, 10);
  let count = 0;
  const made = (site, rule, n, state, days, more = {}) => {
    const place = sites[site % sites.length];
    return { id: `insp-${++count}`, contract_id: 'contract-1', contract: 'Regional service 区域服务', site_id: place.id, site_name: place.name, site_name_zh: place.name_zh, zone: place.zone, rule, n, version: 1, way: 'visit', kinds: ['check'],
      checklist: ['power voltage and current', 'host', 'every terminal'], window_from: day(days - 3), window_to: day(days + 24), planned: day(days), day: day(days), outside: false, provisional: false, tell_by: null, state, merged_id: null,
      ticket_id: null, ticket_number: null, visit_id: null, visit_state: null, done_on: state === 'done' ? day(days) : null, late: false, changed_at: now - DAY, by_hand: null,
      events: [{ seq: 1, kind: 'planned', at: now - 90 * DAY, actor: '', body: { day: day(days), version: 1 } }, ...(state === 'due' ? [] : [{ seq: 2, kind: state, at: now - DAY, actor: state === 'proposed' || state === 'missed' ? '' : 'li.wei', body: { day: day(days), ...(state === 'moved' ? { was: day(days - 4), by: '赵主任', evidence: 'call', reason: '盘点 stocktaking' } : {}) } }])], carries: [], devices: 0, ...more };
  };
  const list = size === 0 ? [] : [
    made(0, 'monthly', 8, 'done', -2), made(0, 'weekly', 12, 'missed', -5, { window_to: day(-1) }), made(1, 'monthly', 3, 'proposed', 1), made(0, 'quarterly', 3, 'moved', 4, { ticket_id: 'ticket-1031', ticket_number: 1031, visit_id: 'v', visit_state: 'planned', tell_by: day(-26) }),
    made(1, 'monthly', 4, 'agreed', 6, { ticket_id: 'ticket-1032', ticket_number: 1032, visit_id: 'v', visit_state: 'assigned' }), made(0, 'monthly', 9, 'due', 9), made(1, 'patrol', 2, 'waived', 2), made(0, 'remote', 4, 'due', 3, { way: 'remote', kinds: ['remote'] }),
  ];
  if (size > 0) list.push(made(0, 'annual', 1, 'merged', 4, { merged_id: list[3].id, kinds: ['annual'] }));
  if (size > 0) list[3].carries = [{ id: list.at(-1).id, rule: 'annual', n: 1 }];
  if (size >= 1000) for (let i = 0; i < 400; i++) list.push(made(i, `m${i % 7}`, i, ['due', 'proposed', 'agreed', 'done', 'missed'][i % 5], (i % 40) - 20));
  const asked = (site, kind, days, state, why) => made(site, kind, 1, state, days, { kinds: [kind], checklist: [], window_from: day(days), window_to: day(days), by_hand: { made_by: 'li.wei', asked_by: '赵主任', asked_how: 'call', why } });
  if (size > 0) list.push(asked(0, 'training', 5, 'agreed', '新来的操作员 new operators'), asked(1, 'sample_test', 7, 'proposed', '监理抽测 the supervisor asks'));
  const plans = size === 0 ? [] : sites.slice(0, 2).map((site, at, of) => ({ contract_id: 'contract-1', contract: 'Regional service 区域服务', site_id: site.id, site_name: site.name, site_name_zh: site.name_zh, anchors: at === 0 ? [{ event: 'commissioned', day: day(-240), set_by: 'Ada', set_at: now - 200 * DAY }] : [],
    waiting: at < of.length - 1 ? [] : [{ rule: 'second_month', event: 'commissioned' }, { rule: 'annual', event: 'commissioned' }], gaps: at === 0 ? [{ from: day(20), to: day(24), after: 'second_month', before: 'monthly' }, { from: day(300), to: null, after: 'monthly', before: null }] : [] }));
  const coverage = plans.map((plan, at) => {
    const here = devices.filter((one) => one.site_id === plan.site_id);
    return { site_id: plan.site_id, site_name: plan.site_name, site_name_zh: plan.site_name_zh, devices: here.length, checked: at === 0 ? Math.floor(here.length / 2) : 0, unknown: 1, done: 2, unstated: 1 - at };
  });
  const bare = ({ events, carries, devices: _count, ...one }) => one;
  const missing = { status: 404, error: 'not_found', message: 'there is no such inspection', hint: 'look at the list anew' };
  const sheets = new Map();
  function sheet(one, method, body) {
    const ask = (key, en, zh, more = {}) => ({ key, device_id: '', device: '', en, zh, kind: 'check', reading: false, spare: false, proposed: null, answer: null, photos: [], ...more });
    const here = devices.filter((each) => each.site_id === one.site_id).slice(0, 4);
    const forms = {
      training: () => [ask('training.goal_operator', 'Goal of operators', '操作员培训目标', { kind: 'text' }), ask('training.theory', 'Theory was taught', '理论授课'), ask('training.attendance', 'Who attended', '参训人员', { kind: 'people' }), ask('training.hours', 'Hours', '学时', { kind: 'number' })],
      sample_test: () => [ask('sample_test.demanded', 'Who demands it: customer or supervisor, and who', '提出方：客户或监理，及姓名', { kind: 'text' }), ask('sample_test.test', 'Indicator', '抽测指标', { kind: 'test' })],
    };
    const form = one.by_hand && forms[one.kinds[0]];
    if (form && !sheets.has(one.id)) sheets.set(one.id, { number: null, visit_id: one.visit_id, items: form() });
    const mine = sheets.get(one.id) ?? { number: null, visit_id: one.visit_id, items: [ask('power', 'AC voltage and current', '交流电源电压和电流', { reading: true }), ask('functions', 'All functions', '所有功能'),
      ...here.map((each, at) => ask('state', 'Works', '运行正常', { device_id: each.id, device: each.name, proposed: at === 3 ? null : { answer: at === 2 ? 'bad' : 'ok', at: now - 40_000, evidence: { state: at === 2 ? 'down' : 'ok' } } }))] };
    sheets.set(one.id, mine);
    for (const said of method === 'PUT' ? body.answers : []) {
      mine.number ??= 'XJ-2026-0007';
      const item = mine.items.find((each) => each.key === said.key && each.device_id === said.device_id);
      mine.record ??= [];
      if (said.id && mine.record.some((each) => each.id === said.id)) continue;
      const stands = mine.record.findLast((each) => each.key === said.key && each.device_id === said.device_id);
      if (said.seen !== undefined && stands && stands.seq > said.seen && (!said.over || stands.id !== said.over)) return { status: 409, error: 'answered_meanwhile', message: `${said.key}: somebody else has answered it`, hint: 'look at that answer; answer again where it is not right' };
      mine.record.push({ ...said, seq: mine.record.length + 1 });
      if (item.kind === 'test') mine.items.splice(mine.items.indexOf(item) + 1, 0, ...(item.spare || !item.answer ? [{ ...item, key: `sample_test.test.${mine.items.length}`, spare: true }] : []));
      item.spare = false;
      item.answer = { answer: said.answer, value: said.value ?? '', what: said.what ?? '', wanted: said.wanted ?? '', note: said.note ?? '', by: body.by ?? me.name, at: Date.now(), seq: mine.record.length, proposed: item.proposed, ticket_number: said.ticket ? 1031 : null };
    }
    const { record: _record, ...told } = mine;
    return { body: { ...told, open: mine.items.filter((item) => !item.answer && !item.spare).length, bad: mine.items.filter((item) => item.answer?.answer === 'bad').length } };
  }
  function answer(method, id, third, query, body) {
    if (!id && method === 'POST') {
      const site = sites.findIndex((one) => one.id === body.site_id);
      if (site < 0) return { status: 404, error: 'not_found', message: 'there is no such site', hint: 'choose one' };
      const n = 1 + list.filter((one) => one.by_hand && one.rule === body.kind).length;
      const one = made(site, body.kind, n, body.agreed ? 'agreed' : 'proposed', 0, { kinds: [body.kind], way: body.way, checklist: body.checklist, day: body.day, planned: body.day, window_from: body.day, window_to: body.until ?? body.day, by_hand: { made_by: me.name, asked_by: body.by, asked_how: body.evidence, why: body.why } });
      one.events = [{ seq: 1, kind: 'asked', at: Date.now(), actor: me.name, body: { day: body.day, by: body.by, evidence: body.evidence, reason: body.why } }];
      if (body.agreed && body.way === 'visit') Object.assign(one, { ticket_id: 'ticket-1031', ticket_number: 1031, visit_id: 'v', visit_state: 'planned' });
      list.push(one);
      return { status: 201, body: one };
    }
    if (!id) {
      const kept = list.filter((one) => one.state !== 'dropped' && (!query.get('site_id') || one.site_id === query.get('site_id')) && one.day >= (query.get('from') ?? '') && one.day <= (query.get('to') ?? '9'));
      return items(kept.map(bare).sort((a, b) => a.day.localeCompare(b.day)));
    }
    if (id === 'plans') return items(plans);
    if (id === 'coverage') return items(coverage);
    if (id === 'anchors') {
      plans.find((one) => one.site_id === body.site_id).waiting = [];
      return items(plans);
    }
    const one = list.find((each) => each.id === id);
    if (!one) return missing;
    if (!third) return { body: one };
    if (third === 'days') {
      const near = (site_name, site_name_zh, km, what) => ({ site_name, site_name_zh, km, what });
      const of = (n, more) => ({ day: day(n), near: [], near_more: 0, visits: 0, full: false, ...more });
      return { body: { items: [of(6, { near: [near('Ferry Pier', '轮渡码头', 3.1, 'visit'), near('Tunnel South', '隧道南口', 11.8, 'inspection')], visits: 4 }), of(5), of(7, { visits: 1 }), of(8, { visits: 2 }), of(4, { near: [near('Ferry Pier', '轮渡码头', 3.1, 'visit')], visits: 9, full: true })], technicians: 3, placed: true } };
    }
    if (third === 'sheet') return sheet(one, method, body);
    if (third === 'withdraw') {
      one.events = [...one.events, { seq: one.events.length + 1, kind: 'withdrawn', at: Date.now(), actor: me.name, body: { reason: body.reason } }];
      one.state = 'dropped';
      return { body: one };
    }
    if (third !== 'done' && third !== 'devices' && me.role !== 'customer' && !body.by) return { status: 400, error: 'bad_request', message: 'by: it is empty', hint: 'name who of the customer consented' };
    const said = me.role === 'customer' ? { by: me.name, evidence: 'account' } : { by: body.by, evidence: body.evidence };
    if (third === 'devices') Object.assign(one, { devices: devices.filter((each) => each.site_id === one.site_id).length });
    const became = { agree: { state: 'agreed' }, move: { state: 'moved', day: body.day }, waive: { state: 'waived' }, done: { state: 'done', done_on: body.on }, devices: {} }[third];
    one.events = [...one.events, { seq: one.events.length + 1, kind: third === 'devices' ? 'devices' : became.state, at: Date.now(), actor: me.name, body: { ...said, day: body.day ?? one.day, was: third === 'move' ? one.day : undefined, reason: body.reason ?? '' } }];
    Object.assign(one, became);
    if (third === 'agree' || third === 'move') Object.assign(one, { ticket_id: 'ticket-1031', ticket_number: 1031, visit_id: 'v', visit_state: 'planned' });
    for (const other of list) if (other.merged_id === one.id) other.day = one.day;
    return { body: one };
  }
  return { list, sheets, answer };
}
