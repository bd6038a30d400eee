// Invented clocks for the fake server: what a contract promised for a ticket, and what people say of its work.
const CONTRACT = { id: 'contract-1', name: 'HT-2025-081', version: 3, versions: [2, 3] };
const RULES = [
  { name: 'answer', title: 'Response 响应', budget_s: 1800, stop: ['first_human_reply'] },
  { name: 'arrive', title: 'Arrival 到场', budget_s: 7200, stop: ['arrived'], evidence: ['qr', 'gateway_code'] },
  { name: 'restore', title: 'Restore 恢复', budget_s: 28_800, stop: ['restored'], calendar: 'work' },
];
const PAUSES = [{ reason: 'access', approver: 'customer', most_s: null }, { reason: 'parts', approver: 'manager', most_s: 259_200 }];

/** The clocks of all tickets; `facts` are kept with their ticket. */
export function makeClocks(tickets) {
  const facts = new Map();
  const of = (ticket) => facts.get(ticket.id) ?? [];
  const covered = (ticket) => ticket.number !== 1033;

  function clock(ticket, rule) {
    const now = Date.now(), said = of(ticket);
    const started_at = ticket.opened_at;
    const stop = said.find((one) => rule.stop.includes(one.what) && (!rule.evidence || one.evidence.some((kind) => rule.evidence.includes(kind))));
    const claimed = said.filter((one) => rule.stop.includes(one.what) && one !== stop).map((one) => one.seq);
    const answered = rule.name === 'answer' && ticket.acked_at ? ticket.acked_at : null;
    const stopped_at = stop?.occurred_at ?? answered ?? ticket.closed_at;
    const end = stopped_at ?? now;
    const ledger = [];
    let from = started_at, paused = null;
    for (const one of [...said.filter((fact) => ['paused', 'resumed'].includes(fact.what)), { what: 'end', occurred_at: end }]) {
      const to = Math.min(end, Math.max(from, one.occurred_at));
      if (to > from) ledger.push({ from, to, counted_s: paused ? 0 : Math.floor((to - from) / 1000), why: paused ? 'paused' : 'working', reason: paused ?? '' });
      from = to;
      paused = one.what === 'paused' ? one.reason : one.what === 'resumed' ? null : paused;
    }
    const used_s = ledger.reduce((all, one) => all + one.counted_s, 0);
    const paused_s = ledger.reduce((all, one) => all + (one.why === 'paused' ? Math.floor((one.to - one.from) / 1000) : 0), 0);
    const late = used_s > rule.budget_s;
    const void_ = stopped_at !== null && !stop && !answered && rule.name === 'arrive';
    const state = void_ ? 'void' : stopped_at !== null ? (late ? 'breached_met' : 'met') : late ? 'breached_running' : paused ? 'paused' : 'running';
    const due_at = started_at + (rule.budget_s + paused_s) * 1000;
    return { name: rule.name, title: rule.title, run: 1, repeat: false, counts: !void_, supplier: false, state, reason: void_ ? 'closed' : state === 'paused' ? paused : '', approver: void_ ? 'rule' : '', started_at, stopped_at, due_at,
      breached_at: late ? due_at : null, provisional: rule.name === 'restore', budget_s: rule.budget_s, used_s, remaining_s: rule.budget_s - used_s, paused_s, calendar: rule.calendar ?? 'always', goal_percent: 100, start: ['reported'], stop: rule.stop,
      evidence: rule.evidence ?? [], segments: [{ from: started_at, priority: 'urgent', zone: null, version: '3', budget_s: rule.budget_s }], ledger, crossed: [], claimed };
  }
  // Somebody goes to every other ticket whose arrival is awaited, and is too far away.
  const isLate = (ticket, one) => ticket.number % 2 === 1 && one.name === 'arrive' && one.state === 'running';
  const going = (ticket, clocks) => clocks.filter((one) => isLate(ticket, one)).map((one) => ({ visit_id: `v-${ticket.number}`, number: 1, name: 'li.wei', km: 23.5, planned_at: null, departed_at: Date.now() - 300_000, arrives_at: one.due_at + 720_000, leave_by: null }));
  function shown(ticket) {
    const now = Date.now();
    const choices = { events: ['first_human_reply', 'arrived', 'restored'], pauses: PAUSES, is_paused: of(ticket).filter((one) => ['paused', 'resumed'].includes(one.what)).at(-1)?.what === 'paused', evidence: ['qr', 'gateway_code'], priorities: [{ name: 'urgent', title: 'Urgent 紧急' }, { name: 'normal', title: 'Normal 一般' }], priority: 'urgent' };
    if (!covered(ticket)) return { now, contract: null, clocks: [], undecided: [], notices: [], works_since: null, on_the_way: [], choices: { ...choices, events: [], pauses: [], evidence: [], priorities: [] } };
    const clocks = RULES.map((rule) => clock(ticket, rule));
    const notices = clocks.filter((one) => one.used_s * 2 >= one.budget_s).map((one) => ({ name: one.name, run: 1, share: 50, reached: true, at: one.started_at + one.budget_s * 500, known_at: one.started_at + one.budget_s * 500, told_at: one.started_at + one.budget_s * 500, outcome: 'paged' }));
    notices.push(...clocks.filter((one) => isLate(ticket, one)).map((one) => ({ name: one.name, run: 1, share: 0, reached: true, at: now, known_at: now, told_at: now, outcome: 'paged' })));
    return { now, contract: CONTRACT, clocks, undecided: [], notices, works_since: ticket.number === 1031 && !of(ticket).some((one) => one.what === 'restored') ? ticket.opened_at + 1_800_000 : null, on_the_way: going(ticket, clocks), choices };
  }
  function say(ticket, body, actor) {
    const at = Date.now();
    const seq = ticket.events.length + 1;
    const fact = { ...body, seq, occurred_at: body.occurred_at ?? at, evidence: body.evidence ?? [] };
    facts.set(ticket.id, [...of(ticket), fact]);
    ticket.events = [...ticket.events, { seq, kind: 'fact', occurred_at: fact.occurred_at, recorded_at: at, actor, source: 'person', body: { ...body, text: body.note } }];
    ticket.changed_at = at;
    return shown(ticket);
  }
  function board(state) {
    const rows = tickets.filter((ticket) => ticket.state !== 'closed' && covered(ticket)).flatMap((ticket) => RULES.map((rule) => clock(ticket, rule)).filter((one) => ['running', 'paused', 'breached_running'].includes(one.state)).map((one) => ({
      ticket_id: ticket.id, number: ticket.number, title: ticket.title, code: ticket.code, severity: ticket.severity, ticket_state: ticket.state, site_id: ticket.site_id, site_name: ticket.site_name, site_name_zh: ticket.site_name_zh, zone: ticket.zone,
      device_name: ticket.device_name, holder: ticket.assignee ?? ticket.acked_by, name: one.name, run: 1, clock: one.title, state: one.state, reason: one.reason, supplier: false, due_at: one.due_at, provisional: one.provisional,
      budget_s: one.budget_s, used_s: one.used_s, share: Math.min(100, Math.floor((one.used_s * 4) / one.budget_s) * 25), foreseen: isLate(ticket, one), counted_at: Date.now() })));
    const counts = {};
    for (const row of rows) counts[row.state] = (counts[row.state] ?? 0) + 1;
    const wanted = rows.filter((row) => (state ? row.state === state : row.state !== 'paused')).sort((a, b) => a.due_at - b.due_at);
    return { items: wanted, next: null, counts };
  }
  return { shown, say, board };
}
