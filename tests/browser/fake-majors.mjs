// Invented major requests for the fake server: one that waits, one that all have consented to, one that is worked on; and the month's.
const HOUR = 3_600_000;
const SAID = { text: '', who: '', how: '', given_at: null, outcome: '' };
const SIDES = ['technical', 'business', 'customer'];

export function makeMajors(size, now, me, sites, tickets) {
  const line = (kind, side, by, hours, more = {}) => ({ ...SAID, kind, side, at: now - hours * HOUR, by, who: by, ...more });
  const made = (number, kind, cause, report, plan, lines, by = 'Zhao Lei') => {
    const site = sites[number % sites.length], ticket = tickets[number % tickets.length];
    return { id: `major-${number}`, number, customer_id: 'customer-1', customer: 'Harbour Authority', site_id: site.id, site_name: site.name, site_name_zh: site.name_zh, zone: site.zone, ticket_id: ticket.id, ticket_number: ticket.number, ticket_title: ticket.title,
      kind, cause, report, plan, raised_by: by, raised_at: now - 20 * HOUR, changed_at: now - HOUR, outcome: '', own: by === me.name, events: [line('raised', '', by, 20, { who: '' }), ...lines] };
  };
  const agreed = [line('consent', 'technical', 'Wang Fang', 9), line('consent', 'business', 'Li Wei', 8, { text: '只在夜间进行 only at night' }), line('consent', 'customer', 'Li Wei', 7, { who: '赵主任', how: 'form', given_at: now - 8 * HOUR })];
  const list = size === 0 ? [] : [
    made(2, 'restoration', 'hardware', '录像服务器阵列损坏，三周录像不可读。\nThe array of the recording server has failed; three weeks of pictures cannot be read.', 'Take a copy of all disks, rebuild the array, restore what can be read.', agreed.slice(0, 1)),
    made(3, 'misoperation', 'misuse', 'Somebody at the desk deleted the list of card holders; nobody gets in by card.', 'Put yesterday’s copy back. Cards of today are to be entered again.', agreed),
    made(4, 'serious', 'environment', 'Water in the server room; all recording stands still.', 'Move the recorders to the second room.', [...agreed, line('begun', '', 'Zhao Lei', 1)]),
  ];
  if (size >= 1000) for (let n = 5; n < 100; n++) list.push(made(n, 'serious', 'unknown', 'Everything stands still.', 'Find out why.', []));
  function read(one) {
    const given = new Map();
    let over = '';
    for (const event of one.events) {
      if (event.kind === 'consent') given.set(event.side, event);
      else if (['withdrawn', 'refused'].includes(event.kind)) given.delete(event.side);
      over = { refused: 'refused', begun: 'executing', done: 'done' }[event.kind] ?? over;
    }
    const consents = SIDES.map((side) => { const event = given.get(side); return { side, given: Boolean(event), who: event?.who ?? '', how: event?.how ?? '', at: event ? (event.given_at ?? event.at) : null }; });
    const state = over || (given.size === 3 ? 'granted' : 'raised');
    return { ...one, consents, state, lacking: state === 'raised' ? SIDES.filter((side) => !given.has(side)) : [], events: one.events.map((event, at) => ({ ...event, seq: at + 1 })) };
  }
  const short = (one) => { const { events, consents, own, ...rest } = read(one); return rest; };
  const total = (name, [raised, waiting, refused, executing, done, solved, partly, failed]) => ({ name, raised, waiting, refused, executing, done, solved, partly, failed });
  const ALL = [7, 2, 1, 1, 3, 2, 1, 0];
  const month = (of) => size === 0 ? { month: of, all: total('', [0, 0, 0, 0, 0, 0, 0, 0]), kinds: [], causes: [], customers: [] }
    : { month: of, all: total('', ALL), kinds: [total('misoperation', [2, 1, 1, 0, 0, 0, 0, 0]), total('restoration', [4, 1, 0, 0, 3, 2, 1, 0]), total('serious', [1, 0, 0, 1, 0, 0, 0, 0])], causes: [total('environment', [1, 0, 0, 1, 0, 0, 0, 0]), total('hardware', [4, 1, 0, 0, 3, 2, 1, 0]), total('misuse', [2, 1, 1, 0, 0, 0, 0, 0])], customers: [total('Harbour Authority', ALL)] };
  const missing = { status: 404, error: 'not_found', message: 'there is no such major request', hint: 'it may have been removed' };
  const no = (one, error, message, hint) => ({ status: 409, error, message: `major request ${one.number}: ${message}`, hint });

  function answer(method, id, third, query, body) {
    if (!id) return { body: { items: list.map(short).filter((one) => (query.get('all') || !['done', 'refused'].includes(one.state)) && (!query.get('ticket_id') || one.ticket_id === query.get('ticket_id'))), next: null } };
    const one = list.find((each) => each.id === id);
    if (method === 'PUT' && !third) {
      const ticket = tickets.find((each) => each.id === body.ticket_id || String(each.number) === body.ticket_id);
      if (!ticket) return { status: 404, error: 'not_found', message: `there is no ticket \`${body.ticket_id}\``, hint: 'it may have been removed' };
      list.push({ ...made(list.length + 2, body.kind, body.cause, body.report, body.plan, [], me.name), id, ticket_id: ticket.id, ticket_number: ticket.number, raised_at: Date.now() });
      return { body: read(list.at(-1)) };
    }
    if (!one) return missing;
    if (third === 'answers') {
      if (body.side !== 'customer' && one.own) return no(one, 'own_request', 'whoever raised it does not approve of it', 'let somebody else answer for this side');
      one.events.push({ ...SAID, kind: body.kind, side: body.side, at: Date.now(), by: me.name, who: body.who ?? me.name, how: body.how ?? (me.role === 'customer' ? 'signed_in' : ''), text: body.text ?? '', given_at: body.given_at ?? null });
    }
    if (third === 'work') {
      if (body.kind === 'begun' && read(one).state !== 'granted') return no(one, 'lacking', 'not everybody has consented', 'nothing may be done before');
      one.events.push({ ...SAID, kind: body.kind, side: '', at: Date.now(), by: me.name, who: me.name, text: body.text ?? '', outcome: body.outcome ?? '' });
      one.outcome = body.outcome ?? '';
    }
    return { body: read(one) };
  }
  return { list, read, answer, month: (query) => ({ body: month(query.get('month')) }) };
}
