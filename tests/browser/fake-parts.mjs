// Invented parts for the fake server: kinds with and without serial numbers, places, what lies where, and the movements that brought it there.
const KINDS = [
  ['PSU-12V5A', 'Power supply 12 V 5 A', '电源 12V5A', true, 8_800, 4, 7], ['CAT6-M', 'Cat 6 cable, metre', '六类网线（米）', false, 320, 200, 3],
  ['CAM-DOME-4M', 'Dome camera 4 MP', '半球摄像机 400 万', true, 42_000, 2, 14], ['HDD-8T', 'Surveillance disk 8 TB', '监控硬盘 8TB', true, 126_000, 3, 10],
  ['RJ45', 'Plug RJ45', 'RJ45 水晶头', false, 45, 100, 2],
];
export function makeParts(sites, users, now) {
  const kinds = KINDS.map(([number, name, name_zh, by_serial, price_fen, reorder_at, lead_days], i) => ({ id: `kind-${i}`, number, name, name_zh, by_serial, price_fen, reorder_at, lead_days }));
  const place = (id, kind, more) => ({ id, kind, name: '', account_id: null, account: null, site_id: null, site_name: null, site_name_zh: null, ...more });
  const places = [place('depot-1', 'depot', { name: 'Main depot 总库' }), place('van-1', 'van', { account_id: users[0]?.id ?? 'u', account: users[0]?.name ?? 'Li Wei' }),
    ...(sites[0] ? [place('at-1', 'site', { site_id: sites[0].id, site_name: sites[0].name, site_name_zh: sites[0].name_zh })] : []), ...['supplier', 'used', 'lost', 'workshop'].map((kind) => place(kind, kind, {}))];
  const row = (place_id, kind, quantity, more) => ({ place_id, kind_id: `kind-${kind}`, owner_id: null, owner: null, quantity, serials: [], ...more });
  const stock = [row('depot-1', 0, 3, { serials: ['P-2602', 'P-2603', 'P-2607'] }), row('depot-1', 1, 914), row('depot-1', 2, 1, { serials: ['DS2-88412'] }), row('depot-1', 4, 260),
    row('van-1', 0, 1, { serials: ['P-2601'] }), row('van-1', 1, 61), row('van-1', 4, 18), row('at-1', 3, 2, { owner_id: 'customer-0', owner: 'Harbour Group 港务集团', serials: ['Z8T-1', 'Z8T-2'] }), row('workshop', 2, 1, { serials: ['DS2-77031'] })];
  const HOUR = 3_600_000;
  const move = (seq, kind, from_id, to_id, why, quantity, ago, more) => ({ id: `move-${seq}`, seq, kind_id: `kind-${kind}`, number: KINDS[kind][0], name: KINDS[kind][1], name_zh: KINDS[kind][2], from_id, to_id, quantity, serial: '', owner_id: null, owner: null, why, note: '',
    ticket_id: null, ticket_number: null, visit_id: null, occurred_at: now - ago * HOUR, recorded_at: now - ago * HOUR, actor: 'Li Wei', ...more });
  const moves = [move(9, 0, 'van-1', 'used', 'used', 1, 2, { serial: 'P-2599', ticket_id: 'ticket-1031', ticket_number: 1031, note: 'psu' }), move(8, 1, 'van-1', 'used', 'used', 12, 2, { ticket_id: 'ticket-1031', ticket_number: 1031 }),
    move(7, 2, 'used', 'workshop', 'taken_out', 1, 26, { serial: 'DS2-77031' }), move(6, 1, 'depot-1', 'lost', 'lost', 3, 50, { note: 'counted 盘点', actor: 'Chen Hong' }), move(5, 0, 'depot-1', 'van-1', 'moved', 1, 74, { serial: 'P-2601' }),
    move(4, 1, 'supplier', 'depot-1', 'bought', 915, 300, { note: 'three drums' })];
  const loan = (n, more) => ({ id: `loan-${n}`, kind_id: 'kind-2', number: KINDS[2][0], name: KINDS[2][1], name_zh: KINDS[2][2], serial: `DS2-9000${n}`, ticket_id: 'ticket-1031', ticket_number: 1031, site_id: sites[0]?.id ?? '', site_name: sites[0]?.name ?? '', site_name_zh: sites[0]?.name_zh ?? '', zone: 'Asia/Shanghai',
    customer: 'Harbour Authority', out_at: now - 200 * HOUR, due_at: now - 5 * HOUR, out_by: 'Li Wei', state: 'out', liable: '', ended_at: null, ended_by: '', note: '', overdue: true, ...more });
  const loans = [loan(1, {}), loan(2, { due_at: now + 60 * HOUR, overdue: false }), loan(3, { state: 'damaged', liable: 'customer', ended_at: now - 30 * HOUR, ended_by: 'Chen Hong', note: 'water 进水', overdue: false })];
  function loaners(method, id, third, query, body) {
    if (method === 'GET') return { body: { items: loans.filter((one) => one.state === 'out' || query.get('all')), next: null } };
    if (method === 'PUT') { const one = loan(loans.length + 1, { id, serial: body.serial, due_at: body.due_at, overdue: false }); loans.push(one); return { body: one }; }
    const one = loans.find((each) => each.id === id);
    if (third === 'due') return { body: Object.assign(one, { due_at: body.due_at, overdue: false }) };
    return { body: Object.assign(one, { state: body.outcome, liable: body.liable, note: body.note, ended_at: Date.now(), ended_by: 'Ada', overdue: false }) };
  }
  const repairs = [{ id: 'repair-1', ticket_id: 'ticket-1031', ticket_number: 1031, site_name: sites[0]?.name ?? '', site_name_zh: sites[0]?.name_zh ?? '', kind_id: 'kind-2', number: KINDS[2][0], name: KINDS[2][1], name_zh: KINDS[2][2], serial: 'DS2-77031', component: 'camera', level: 'factory', factory_order: 'WX-2026-118', state: 'burn_in', changed_at: now,
    events: [{ seq: 1, kind: 'opened', at: now - 90 * HOUR, actor: 'Li Wei', body: { level: 'factory' } }, { seq: 2, kind: 'repaired', at: now - 3 * HOUR, actor: 'Chen Hong', body: { work: 'lens board 镜头板', order: 'WX-2026-118' } }] }];
  function mends(method, id, third, body) {
    if (method === 'GET') return { body: { items: repairs, next: null } };
    if (method === 'PUT') { const one = { ...repairs[0], id, serial: body.serial, component: body.component, level: body.level, factory_order: '', state: 'repair', events: [] }; repairs.push(one); return { body: one }; }
    const one = repairs.find((each) => each.id === id), state = { repaired: 'burn_in', burn_in: 'ready', failed: 'repair', refitted: 'refitted', scrapped: 'scrapped' }[body.step] ?? one.state;
    return { body: Object.assign(one, { state, events: [...one.events, { seq: one.events.length + 1, kind: body.step, at: Date.now(), actor: 'Ada', body }] }) };
  }
  const listed = (kind, quantity, more) => ({ kind_id: `kind-${kind}`, number: KINDS[kind][0], name: KINDS[kind][1], name_zh: KINDS[kind][2], installed: 0, rate_bp: 0, quantity, price_fen: 0, ...more });
  const sent = (n, more) => ({ id: `sent-${n}`, purpose: 'spares', supply: 'included', site_id: sites[0]?.id ?? '', site_name: sites[0]?.name ?? '', site_name_zh: sites[0]?.name_zh ?? '', customer: 'Harbour Authority', ticket_id: null, ticket_number: null, months: 24, due_on: '2026-10-08', late: false, note: '', state: 'open', made_at: now - 90 * HOUR, made_by: 'Chen Hong',
    from_id: null, waybill: '', carrier: '', released_at: null, released_by: '', ended_at: null, ended_by: '', received_by: '', end_note: '', lines: [], packed: [], ...more });
  const gone = { from_id: 'depot-1', waybill: 'SF1420 8837 2210', carrier: '顺丰', released_at: now - 30 * HOUR, released_by: 'Li Wei' };
  const sends = sites[0] === undefined ? [] : [sent(1, { late: true, note: 'before the warranty begins 质保期开始前', lines: [listed(2, 2, { installed: 24, rate_bp: 400 }), listed(4, 40, { installed: 400, rate_bp: 500 })] }),
    sent(2, { purpose: 'parts', months: 0, ticket_id: 'ticket-1031', ticket_number: 1031, due_on: '2026-12-24', state: 'released', ...gone, lines: [listed(0, 1)], packed: [{ kind_id: 'kind-0', quantity: 1, serial: 'P-2603' }] }),
    sent(3, { supply: 'rental', months: 12, due_on: '', lines: [listed(3, 2, { installed: 8, rate_bp: 900, price_fen: 9_000 })] }),
    sent(4, { supply: 'sale', state: 'delivered', ...gone, ended_at: now - 5 * HOUR, ended_by: 'Li Wei', received_by: '周主任', lines: [listed(1, 305, { price_fen: 400 })] })];
  function consignments(method, id, third, query, body) {
    if (id === 'proposal') return { body: { items: [{ kind_id: 'kind-2', number: KINDS[2][0], name: KINDS[2][1], name_zh: KINDS[2][2], price_fen: 42_000, installed: 24, rate_bp: 850, used: 9, everywhere: 106, quantity: Math.ceil(24 * 0.085 * Number(query.get('months')) / 12) }], next: null } };
    if (method === 'GET') return { body: { items: sends.filter((one) => ['open', 'released'].includes(one.state) || query.get('all')), next: null } };
    const one = sends.find((each) => each.id === id);
    if (method === 'PUT') {
      const site = sites.find((each) => each.id === body.site_id), lines = body.lines.map((line) => ({ ...listed(Number(line.kind_id.slice(5)), line.quantity), ...line }));
      const made = { ...sent(sends.length + 1, {}), ...one, ...body, id, site_name: site.name, site_name_zh: site.name_zh, lines };
      if (one) Object.assign(one, made); else sends.push(made);
      return { body: made };
    }
    if (third === 'release') return { body: Object.assign(one, { state: 'released', from_id: body.from_id, waybill: body.waybill, carrier: body.carrier, packed: body.packed, released_at: Date.now(), released_by: 'Ada', late: false }) };
    return { body: Object.assign(one, { state: body.outcome, received_by: body.received_by, end_note: body.note, ended_at: Date.now(), ended_by: 'Ada', late: false }) };
  }
  const reorder = () => kinds.map((kind, i) => ({ kind_id: kind.id, number: kind.number, name: kind.name, name_zh: kind.name_zh, lies: [3, 914, 1, 0, 260][i] ?? 0, used: [9, 1320, 4, 2, 0][i] ?? 0, used_days: 180, lead_days: kind.lead_days, order_at: kind.reorder_at, order: [3, 0, 2, 4, 0][i] ?? 0, cost_fen: ([3, 0, 2, 4, 0][i] ?? 0) * kind.price_fen, lasts_days: [60, 124, 45, 0, null][i] ?? null }));
  function answer(method, id, third, body, query) {
    if (id === 'reorder') return { body: { items: reorder(), next: null } };
    const write = (list, one) => { const i = list.findIndex((each) => each.id === third); if (i < 0) list.push(one); else list[i] = one; return { body: one }; };
    if (id === 'kinds') return method === 'PUT' ? write(kinds, { id: third, ...body }) : { body: { items: kinds, next: null } };
    if (id === 'places') return method === 'PUT' ? write(places, place(third, body.kind, body)) : { body: { items: places, next: null } };
    if (id === 'moves' && method === 'PUT') {
      const kind = kinds.find((one) => one.id === body.kind_id), from = stock.find((one) => one.place_id === body.from_id && one.kind_id === body.kind_id), to = stock.find((one) => one.place_id === body.to_id && one.kind_id === body.kind_id);
      if (from && from.quantity < body.quantity) return { status: 409, body: { error: { code: 'not_enough', message: `${kind.number}: ${from.quantity} lie there, ${body.quantity} are wanted`, hint: 'look at what lies there, or count it anew' } } };
      if (from) Object.assign(from, { quantity: from.quantity - body.quantity, serials: from.serials.filter((one) => one !== body.serial) });
      if (to) Object.assign(to, { quantity: to.quantity + body.quantity, serials: body.serial ? [...to.serials, body.serial] : to.serials });
      else stock.push(row(body.to_id, kinds.indexOf(kind), body.quantity, { serials: body.serial ? [body.serial] : [] }));
      const one = { ...move(moves.length + 10, kinds.indexOf(kind), body.from_id, body.to_id, 'moved', body.quantity, 0), ...body, id: third };
      moves.unshift(one);
      return { body: one };
    }
    if (id === 'moves') return { body: { items: moves, next: null } };
    return { body: { items: stock.filter((one) => one.quantity > 0 && (!query.get('mine') || one.place_id === 'van-1')), next: null } };
  }
  return { answer, loaners, mends, consignments, sends, none: () => { for (const list of [kinds, places, stock, moves, loans, repairs, sends]) list.length = 0; } };
}
