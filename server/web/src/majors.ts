// Major requests: their shapes on the wire, and their routes.
import { get, put, query } from './api';
import type { List } from './types';

export type Major = {
  id: string; number: number; customer_id: string; customer: string; site_id: string; site_name: string; site_name_zh: string; zone: string;
  ticket_id: string; ticket_number: number; ticket_title: string; kind: string; cause: string; report: string; plan: string; raised_by: string; raised_at: number;
  state: string; outcome: string; changed_at: number; lacking: string[];
};
export type MajorConsent = { side: string; given: boolean; who: string; how: string; at: number | null };
export type MajorEvent = { seq: number; kind: string; side: string; at: number; by: string; text: string; who: string; how: string; given_at: number | null; outcome: string };
export type MajorStory = Major & { consents: MajorConsent[]; own: boolean; events: MajorEvent[] };
export type MajorTotal = { name: string; raised: number; waiting: number; refused: number; executing: number; done: number; solved: number; partly: number; failed: number };
export type MajorMonth = { month: string; all: MajorTotal; kinds: MajorTotal[]; causes: MajorTotal[]; customers: MajorTotal[] };

const id = encodeURIComponent;
export const majors = {
  list: (all: boolean, ticket_id?: string) => get<List<Major>>(`/major-requests${query({ all: all ? 'true' : undefined, ticket_id })}`),
  get: (one: string) => get<MajorStory>(`/major-requests/${id(one)}`),
  raise: (one: string, body: { ticket_id: string; kind: string; cause: string; report: string; plan: string }) => put<MajorStory>(`/major-requests/${id(one)}`, body),
  answer: (one: string, step: string, body: { kind: string; side: string; text?: string; who?: string; how?: string; given_at?: number }) => put<MajorStory>(`/major-requests/${id(one)}/answers/${id(step)}`, body),
  work: (one: string, step: string, body: { kind: string; text?: string; outcome?: string }) => put<MajorStory>(`/major-requests/${id(one)}/work/${id(step)}`, body),
  month: (month: string) => get<MajorMonth>(`/major-figures${query({ month })}`),
};
export const KINDS = ['misoperation', 'restoration', 'serious'];
export const CAUSES = ['misuse', 'hardware', 'software', 'network', 'business', 'environment', 'unknown'];
export const HOW = ['form', 'letter', 'email', 'phone', 'in_person'];
export const OUTCOMES = ['solved', 'partly', 'failed'];
export const majorMark = (one: Major) => ({ raised: 'degraded', granted: 'hand', executing: 'maintenance', refused: 'down' })[one.state] ?? (one.outcome === 'solved' ? 'ok' : 'degraded');
