// What helped before and the manual of frequent faults: their shapes on the wire and their routes.
import { get, post, put, query, remove } from './api';
import type { List } from './types';

export type KnownCase = {
  why: 'again' | 'model' | 'class' | 'device' | 'words'; times: number; ticket_number: number; title: string; code: string; device: string; class: string; model: string;
  site: string; site_zh: string; symptom: string; cause: string; solution: string; at: number;
};
/** What a page of the manual says; an empty code, class or model fits all. */
export type ManualWords = { code: string; class: string; model: string; symptom: string; cause: string; solution: string };
export type ManualPage = { id: string; cause_key: string; state: string; words: ManualWords; times: number; made_by: string; made_at: number; changed_by: string; changed_at: number };
/** A cause that came again and again. */
export type ManualProposal = { cause_key: string; words: ManualWords; solutions: string[]; tickets: number[] };

const id = encodeURIComponent;
export const knowledge = {
  near: (ticket: string) => get<List<KnownCase>>(`/tickets/${id(ticket)}/knowledge`),
  find: (q: string) => get<List<KnownCase>>(`/knowledge${query({ q })}`),
  proposals: () => get<List<ManualProposal>>('/knowledge/proposals'),
  pages: (asked: { q?: string; ticket?: string }) => get<List<ManualPage>>(`/knowledge/items${query(asked)}`),
  /** Without words the proposal is passed over. */
  add: (cause_key: string, words?: ManualWords) => post<ManualPage>('/knowledge/items', { cause_key, ...(words ? { words } : {}) }),
  change: (page: string, seen: number, words: ManualWords) => put<ManualPage>(`/knowledge/items/${id(page)}`, { seen, words }),
  drop: (page: string) => remove(`/knowledge/items/${id(page)}`),
};
