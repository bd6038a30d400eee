// Invented settlements for the fake server: who pays, plan and fee, answers, parts and substitute devices of a ticket.
const RIGHTS = [{ component: 'lens', from: '2025-03-10', until: '2027-03-10', why: 'acceptance on 2025-03-10, 2y', why_zh: '2025-03-10 验收，2y' }];
const PENALTY = { of: 'arrive', fen: 100_000, capped: false, how: '1 case × 1000.00', how_zh: '1 次 × 1000.00', evidence: 'Arrival 到场: was due at 2026-03-02 09:00:00 and not kept until 2026-03-02 10:00:00', evidence_zh: 'Arrival 到场：应于 2026-03-02 09:00:00 前完成，直至 2026-03-02 10:00:00 仍未完成', approval: 'manager', decision: null };

/** What is settled over all tickets, kept in memory. */
export function makeDeals() {
  const kept = new Map();
  const blank = (number) => ({ contract: number === 1033 ? null : 'HT-2025-081', coverage: null, offers: [], rounds: 3, misdiagnosis_ours: true, owed_fen: null, misdiagnosis: null, parts: [], must_go_on: false,
    loaner: { offered: true, is_out: false, events: [], owed_at: null, return_needs: ['repaired', 'burn_in'], liable: true, moves: [] }, penalties: number === 1032 ? [{ ...PENALTY }] : [],
    items: [{ item: 'labour', title: 'Labour 人工' }, { item: 'visit', title: 'Visit 上门' }], causes: ['misuse', 'lightning'] });
  function of(ticket) {
    if (!kept.has(ticket.id)) kept.set(ticket.id, blank(ticket.number));
    return kept.get(ticket.id);
  }
  function settle(ticket, kind, body, by) {
    const deal = of(ticket), at = Date.now();
    const refuse = (error, message) => ({ status: 409, error, message, hint: '' });
    if (kind === 'answer') {
      const offer = deal.offers.find((one) => one.answer === null);
      if (!offer) return refuse('no_offer', 'no plan waits for an answer');
      offer.answer = { accepted: body.accepted, by: body.by ?? by, evidence: body.evidence ?? 'account', at };
      if (body.accepted) deal.owed_fen = offer.fee_fen;
    } else if (kind === 'ruling' && body.what === 'penalty') deal.penalties = deal.penalties.map((one) => (one.of === body.of ? { ...one, decision: { granted: body.granted, fen: one.fen, reason: body.reason, by, at } } : one));
    else if (kind === 'ruling') deal.coverage = { ...deal.coverage, outcome: body.outcome, ruled: true, reason: body.reason, reason_zh: body.reason, by, at };
    else if (body.what === 'coverage') {
      const outcome = body.cause === 'unknown' ? 'needs_person' : deal.causes.includes(body.cause) ? 'chargeable' : 'free';
      const [reason, reason_zh] = { needs_person: ['the cause is not known: neither free nor charged without a person', '原因不明：是否免费须由人决定'], chargeable: [`${body.cause} is excluded`, `${body.cause} 不在质保范围内`], free: ['in the term, until 2027-03-10', '质保期内，至 2027-03-10'] }[outcome];
      deal.coverage = { outcome, ruled: false, reason, reason_zh, cause: body.cause, component: body.component ?? '', missing: [], rights: RIGHTS, by, at };
    } else if (body.what === 'offer') {
      if (deal.coverage?.outcome !== 'chargeable') return refuse('coverage_open', 'nobody has decided whether this work is free');
      const charges = body.lines.map((line) => ({ title: deal.items.find((one) => one.item === line.item)?.title ?? line.item, amount_fen: 40_000, how: '2 started hours × 200.00', how_zh: '2 小时（不足一小时按一小时） × 200.00' }));
      deal.offers.push({ round: deal.offers.length + 1, plan: body.plan, fee_fen: charges.length * 40_000, charges, by, at, answer: null });
    } else if (body.what === 'replaced') deal.parts.push({ component: body.component, name: '', name_zh: '', quantity: 1, with: body.with, consent: body.consent, paid: body.paid, by, at });
    else if (body.what === 'misdiagnosis') Object.assign(deal, { misdiagnosis: { reason: body.reason, by, at }, owed_fen: deal.owed_fen === null ? null : 0 });
    else if (body.what === 'loaner_out' || body.what === 'loaner_back') {
      deal.loaner.is_out = body.what === 'loaner_out';
      deal.loaner.moves.push({ out: deal.loaner.is_out, device: body.device ?? deal.loaner.moves.at(-1)?.device ?? '', damaged: Boolean(body.damaged), by, at });
    }
    return { body: deal };
  }
  return { of, settle };
}
