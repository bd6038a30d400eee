// What is settled with a customer over a ticket: the shapes of its routes.
import { get, post } from './api';

export type Right = { component: string; from: string; until: string | null; why: string; why_zh: string };
export type Coverage = { outcome: 'free' | 'chargeable' | 'needs_person'; ruled: boolean; reason: string; reason_zh: string; cause: string; component: string; missing: string[] | null; rights: Right[] | null; by: string; at: number };
export type Answer = { accepted: boolean; by: string; evidence: string; at: number };
export type Offer = { round: number; plan: string; fee_fen: number; charges: { title: string; amount_fen: number; how: string; how_zh: string }[] | null; by: string; at: number; answer: Answer | null };
export type Part = { component: string; name: string; name_zh: string; quantity: number; with: string; consent: string; paid: boolean; by: string; at: number };
export type Loan = { out: boolean; device: string; damaged: boolean; by: string; at: number };
export type Penalty = { of: string; fen: number; capped: boolean; how: string; how_zh: string; evidence: string; evidence_zh: string; approval: string; decision: { granted: boolean; fen: number; reason: string; by: string; at: number } | null };
export type Deal = {
  contract: string | null; coverage: Coverage | null; offers: Offer[]; rounds: number; misdiagnosis_ours: boolean; owed_fen: number | null; misdiagnosis: { reason: string; by: string; at: number } | null;
  parts: Part[]; loaner: { offered: boolean; is_out: boolean; events: string[]; owed_at: number | null; return_needs: string[]; liable: boolean; moves: Loan[] };
  penalties: Penalty[]; must_go_on: boolean; items: { item: string; title: string }[]; causes: string[];
};

const of = (ticket: string) => `/tickets/${encodeURIComponent(ticket)}/deal`;
export const deals = {
  of: (ticket: string) => get<Deal>(of(ticket)),
  settle: (ticket: string, body: Record<string, unknown>) => post<Deal>(of(ticket), body),
  answer: (ticket: string, body: Record<string, unknown>) => post<Deal>(`${of(ticket)}/answer`, body),
  rule: (ticket: string, body: Record<string, unknown>) => post<Deal>(`${of(ticket)}/ruling`, body),
};
