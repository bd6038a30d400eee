// Invented call-backs for the fake server: owed today, overdue, said not to be done, and what customers said this month.
const HOUR = 3_600_000;
const SCALE = [['很满意', 5], ['满意', 3], ['一般', 2], ['不表态', 1], ['不满意', -5]].map(([word, points]) => ({ word, points }));

export function makeFollow(size, now, me, sites, visits) {
  const site = (at) => sites[at % sites.length];
  const day = (ms) => new Date(ms + 8 * HOUR).toISOString().slice(0, 10);
  const made = (at, state, hours, more = {}) => {
    const place = site(at), done_at = now - hours * HOUR, due_on = day(done_at);
    return { visit_id: visits.visits[at % 2]?.id ?? `v-${at}`, visit_number: 1, visit_state: state, ticket_id: `ticket-${1031 + at}`, ticket_number: 1031 + at, title: ['Barrier arm bent 道闸杆弯了', 'No picture 无图像', 'Gate stands open 门未关'][at % 3], site_id: place.id, site_name: place.name, site_name_zh: place.name_zh, zone: place.zone,
      contact_name: 'Ms Zhou', contact_phone: '+86 10 5555 0101', due_on, overdue: due_on < day(now), done_at, unanswered: 0, tries_max: 3, last_at: null, opinion: '', ...more };
  };
  const owed = size === 0 ? [] : [made(0, 'signed', 40, { unanswered: 2, last_at: now - 20 * HOUR }), made(1, 'unsigned', 1)];
  if (size >= 2) owed.push({ ...made(2, 'called_back', 30, { opinion: '还是卡，抬到一半就停 it still sticks half way up' }), visit_id: 'v-not-done' });
  if (size >= 1000) for (let i = 3; i < 200; i++) owed.push({ ...made(i, 'signed', i), visit_id: `v-${i}` });
  const calls = new Map();
  const total = (id, name, name_zh, [visits_, answered, unscored, points, silent, not_reached, left], words = []) => ({ id, name, name_zh, visits: visits_, answered, unscored, points, silent, not_reached, owed: left, words });
  const month = (of) => size === 0 ? { month: of, all: total('', '', '', [0, 0, 0, 0, 0, 0, 0]), sites: [], customers: [], technicians: [], unasked: [] } : {
    month: of, all: total('', '', '', [14, 10, 1, 24, 1, 1, 2], [['很满意', 5], ['满意', 2], ['不满意', 2], ['dissatisfied', 1]].map(([word, count]) => ({ word, count }))),
    sites: sites.slice(0, 2).map((one, at) => total(one.id, one.name, one.name_zh, at ? [6, 4, 1, -5, 1, 0, 1] : [8, 6, 0, 29, 0, 1, 1])), customers: [total('customer-1', 'Harbour Authority', '', [14, 10, 1, 24, 1, 1, 2])],
    technicians: [total('user-2', 'wang.min', '', [10, 8, 1, 26, 0, 1, 1]), total('user-3', 'zhao.lei', '', [6, 3, 0, -2, 1, 0, 2])],
    unasked: [...owed.slice(0, 2).map((one) => ({ ...one, why: 'owed' })), { ...made(2, 'signed', 90), visit_id: 'v-u1', why: 'not_reached' }, { ...made(3, 'filed', 120), visit_id: 'v-u2', why: 'silent' }].map(({ visit_id, visit_number, ticket_number, site_name, site_name_zh, done_at, why }) => ({ visit_id, visit_number, ticket_number, site_name, site_name_zh, done_at, why })) };
  const told = (visit) => ({ visit_state: owed.find((one) => one.visit_id === visit)?.visit_state ?? 'filed', contract_id: 'contract-1', scale: SCALE, calls: calls.get(visit) ?? [] });

  function call(method, visit, key, body) {
    if (method !== 'PUT') return { body: told(visit) };
    const before = calls.get(visit) ?? [], one = owed.find((each) => each.visit_id === visit);
    if (!body.reached && one.last_at !== null && Date.now() - one.last_at < HOUR / 2) return { status: 409, error: 'too_soon', message: 'nobody answered less than 30 minutes ago', hint: 'call again in 30 min' };
    calls.set(visit, [...before, { id: key, n: before.length + 1, at: Date.now(), by: me.name, reached: body.reached, who: body.who ?? '', word: body.word ?? null, points: SCALE.find((each) => each.word === body.word)?.points ?? null, completed: body.completed ?? null, opinion: body.opinion ?? '' }]);
    if (!body.reached) { one.unanswered++; one.last_at = Date.now(); }
    else if (body.completed) owed.splice(owed.indexOf(one), 1);
    else Object.assign(one, { visit_state: 'called_back', opinion: body.opinion ?? '' });
    return { body: told(visit) };
  }
  return { owed, calls, call, list: () => ({ body: { items: owed, next: null } }), month: (query) => ({ body: month(query.get('month')) }) };
}
