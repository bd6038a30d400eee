// Complaints: their shapes on the wire, their routes, and what may come next in one.
import { get, put, query } from './api';
import type { List } from './types';

export type Complaint = {
  id: string; number: number; customer_id: string; customer: string; site_id: string; site_name: string; site_name_zh: string; zone: string;
  ticket_id: string; ticket_number: number; ticket_title: string; own_ticket: boolean; visit_id: string | null; visit_number: number | null;
  subject: string; channel: string; who: string; reach: string; words: string; received_at: number; raised_at: number; raised_by: string;
  state: string; holder: string | null; due_at: number; promise: string; contract_id: string | null; provisional: boolean; overdue: boolean; run: number; answered_at: number | null;
};
export type ComplaintEvent = {
  seq: number; kind: string; run: number; at: number; by: string; text: string; who: string; how: string; holder: string; improvement: string; responsible: string; by_day: string; told: string[]; due_at: number | null;
};
export type ComplaintStory = Complaint & { events: ComplaintEvent[] };
export type ComplaintTotal = { name: string; raised: number; in_time: number; late: number; waiting: number };
export type ComplaintMonth = { month: string; all: ComplaintTotal; subjects: ComplaintTotal[]; customers: ComplaintTotal[] };
export type NewComplaint = { visit_id?: string; ticket_id?: string; site_id?: string; customer_id?: string; subject: string; channel: string; who: string; reach: string; words: string; received_at?: number };
export type NewStep = { kind: string; text?: string; holder_id?: string; who?: string; how?: string; improvement?: string; responsible?: string; by_day?: string };

const id = encodeURIComponent;
export const complaints = {
  list: (all: boolean, ticket_id?: string) => get<List<Complaint>>(`/complaints${query({ all: all ? 'true' : undefined, ticket_id })}`),
  get: (one: string) => get<ComplaintStory>(`/complaints/${id(one)}`),
  take: (one: string, body: NewComplaint) => put<ComplaintStory>(`/complaints/${id(one)}`, body),
  step: (one: string, step: string, body: NewStep) => put<ComplaintStory>(`/complaints/${id(one)}/steps/${id(step)}`, body),
  month: (month: string) => get<ComplaintMonth>(`/complaint-figures${query({ month })}`),
};
export const SUBJECTS = ['attitude', 'response_time', 'result', 'fees'];
export const CHANNELS = ['phone', 'email', 'letter', 'in_person'];
const NEXT: Record<string, string[]> = { raised: ['investigating', 'note'], reopened: ['investigating', 'note'], investigating: ['answered', 'note', 'investigating'], answered: ['closed', 'reopened', 'note'], closed: ['reopened'] };
/** What may be done next, the usual first. */
export const nextSteps = (one: Complaint) => NEXT[one.state] ?? [];
export const complaintMark = (one: Complaint) => (one.overdue ? 'down' : one.state === 'closed' ? 'ok' : one.state === 'answered' ? 'suppressed' : one.state === 'investigating' ? 'hand' : 'degraded');

/** What a call-back was answered with, for whoever takes it down as a complaint next. */
export const drafted: { value: { visit: string; who: string; words: string } | null } = { value: null };
