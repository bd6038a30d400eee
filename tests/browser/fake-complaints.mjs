// Invented complaints for the fake server: late, waiting, answered; and what the month's come to.
const HOUR = 3_600_000;
const SAID = { text: '', who: '', how: '', holder: '', improvement: '', responsible: '', by_day: '', told: [], due_at: null };
const STATE = { investigating: 'investigating', answered: 'answered', closed: 'closed', reopened: 'reopened' };

export function makeComplaints(size, now, me, sites, tickets, visits) {
  const made = (number, state, subject, words, hours, more = {}) => {
    const site = sites[number % sites.length], ticket = tickets[number % tickets.length];
    const due_at = now + hours * HOUR, received_at = due_at - 8 * HOUR;
    const waits = !['answered', 'closed'].includes(state);
    return { id: `complaint-${number}`, number, customer_id: 'customer-1', customer: 'Harbour Authority', site_id: site.id, site_name: site.name, site_name_zh: site.name_zh, zone: site.zone, ticket_id: ticket.id, ticket_number: ticket.number, ticket_title: ticket.title, own_ticket: false, visit_id: null, visit_number: null,
      subject, channel: 'phone', who: 'Ms Zhou 周女士', reach: '+86 10 5555 0101', words, received_at, raised_at: received_at, raised_by: 'Li Wei', state, holder: state === 'raised' ? null : 'Li Wei', due_at, promise: '8h', contract_id: 'contract-1', provisional: false, overdue: waits && hours <= 0, run: 1, answered_at: waits ? null : due_at - HOUR,
      events: [{ ...SAID, seq: 1, kind: 'raised', run: 1, at: received_at, by: 'Li Wei', told: ['Wang Fang'], due_at }], ...more };
  };
  const list = size === 0 ? [] : [
    made(4, 'investigating', 'response_time', '打了三次电话，第二天下午才有人来，大门整夜开着。 Three calls, and nobody came before the next afternoon; the gate stood open all night.', -3),
    made(6, 'raised', 'attitude', 'He hung up on me.', 5),
    made(5, 'answered', 'fees', 'Why is there labour on the bill? We are under contract.', -20, { promise: '', contract_id: null }),
  ];
  if (list[0]) list[0].events.push({ ...SAID, seq: 2, kind: 'investigating', run: 1, at: now - 9 * HOUR, by: 'Li Wei', holder: 'Li Wei' }, { ...SAID, seq: 3, kind: 'late', run: 1, at: now - 3 * HOUR, by: '', told: ['Wang Fang', 'Li Wei'] });
  if (size >= 1000) for (let n = 7; n < 200; n++) list.push(made(n, 'raised', 'result', 'It still sticks.', n));
  const short = ({ events, ...one }) => one;
  const total = (name, [raised, in_time, late, waiting]) => ({ name, raised, in_time, late, waiting });
  const month = (of) => size === 0 ? { month: of, all: total('', [0, 0, 0, 0]), subjects: [], customers: [] }
    : { month: of, all: total('', [6, 3, 2, 1]), subjects: [total('attitude', [1, 0, 0, 1]), total('fees', [2, 2, 0, 0]), total('response_time', [3, 1, 2, 0])], customers: [total('Harbour Authority', [6, 3, 2, 1])] };
  const missing = { status: 404, error: 'not_found', message: 'there is no such complaint', hint: 'it may have been removed' };

  function take(id, body) {
    const visit = visits.visits.find((one) => one.id === body.visit_id);
    const ticket = tickets.find((one) => one.id === (visit?.ticket_id ?? body.ticket_id) || String(one.number) === body.ticket_id);
    if (!ticket && (body.visit_id || body.ticket_id)) return { status: 404, error: 'not_found', message: `there is no ticket \`${body.ticket_id}\``, hint: 'it may have been removed' };
    const one = made(list.length + 4, 'raised', body.subject, body.words, 8, { ...body, id, ticket_id: ticket?.id ?? 'ticket-9', ticket_number: ticket?.number ?? 1999, own_ticket: !ticket, visit_id: visit?.id ?? null, visit_number: visit?.number ?? null });
    list.push(one);
    return { body: one };
  }
  function step(id, body) {
    const one = list.find((each) => each.id === id);
    if (!one) return missing;
    if (body.kind === 'investigating' && body.holder_id === 'u-2') return { status: 409, error: 'own_visit', message: `complaint ${one.number}: it is about a visit that this person went on`, hint: 'let somebody else look into it' };
    one.state = STATE[body.kind] ?? one.state;
    if (body.kind === 'investigating') one.holder = me.name;
    one.overdue = !['answered', 'closed'].includes(one.state) && one.due_at <= Date.now();
    one.events = [...one.events, { ...SAID, seq: one.events.length + 1, kind: body.kind, run: one.run, at: Date.now(), by: me.name, text: body.text ?? '', who: body.who ?? '', how: body.how ?? '', holder: body.kind === 'investigating' ? me.name : '', improvement: body.improvement ?? '', responsible: body.responsible ?? '', by_day: body.by_day ?? '' }];
    return { body: one };
  }
  function answer(method, id, third, query, body) {
    if (!id) return { body: { items: list.filter((one) => (query.get('all') || one.state !== 'closed') && (!query.get('ticket_id') || one.ticket_id === query.get('ticket_id'))).map(short), next: null } };
    if (third === 'steps') return step(id, body);
    if (method === 'PUT') return take(id, body);
    const one = list.find((each) => each.id === id);
    return one ? { body: one } : missing;
  }
  return { list, answer, month: (query) => ({ body: month(query.get('month')) }) };
}
