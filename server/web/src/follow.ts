// What follows a visit: the shapes of call-backs and satisfaction, and their routes.
import { get, put, query } from './api';
import type { List } from './types';
import type { VisitState } from './visits';

export type OwedCallBack = {
  visit_id: string; visit_number: number; visit_state: VisitState; ticket_id: string; ticket_number: number; title: string; site_id: string; site_name: string; site_name_zh: string; zone: string;
  contact_name: string; contact_phone: string; due_on: string; overdue: boolean; done_at: number; unanswered: number; tries_max: number; last_at: number | null; opinion: string;
};
export type CallBack = { id: string; n: number; at: number; by: string; reached: boolean; who: string; word: string | null; points: number | null; completed: boolean | null; opinion: string };
export type VisitCallBacks = { visit_state: VisitState; contract_id: string | null; scale: { word: string; points: number | null }[]; calls: CallBack[] };
export type NewCallBack = { reached: boolean; who?: string; word?: string; completed?: boolean; opinion?: string; unsigned?: string };
export type SatisfactionTotal = {
  id: string; name: string; name_zh: string; visits: number; answered: number; unscored: number; points: number; silent: number; not_reached: number; owed: number;
  words: { word: string; count: number }[];
};
export type Unasked = { visit_id: string; visit_number: number; ticket_number: number; site_name: string; site_name_zh: string; done_at: number; why: string };
export type SatisfactionMonth = { month: string; all: SatisfactionTotal; sites: SatisfactionTotal[]; customers: SatisfactionTotal[]; technicians: SatisfactionTotal[]; unasked: Unasked[] };

const id = encodeURIComponent;
export const follow = {
  owed: () => get<List<OwedCallBack>>('/call-backs'),
  ofVisit: (visit: string) => get<VisitCallBacks>(`/visits/${id(visit)}/call-backs`),
  call: (visit: string, call: string, body: NewCallBack) => put<VisitCallBacks>(`/visits/${id(visit)}/call-backs/${id(call)}`, body),
  month: (month: string) => get<SatisfactionMonth>(`/satisfaction${query({ month })}`),
};
/** Points over the answers that have some; `null` where there are none. */
export const mean = (total: SatisfactionTotal) => (total.answered > total.unscored ? total.points / (total.answered - total.unscored) : null);
