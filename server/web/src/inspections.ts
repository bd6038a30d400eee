// Inspections: the shapes of their routes, one function per route, and how a month of them is laid out.
import { get, post, put, query } from './api';
import type { List } from './types';

export type InspectionState = 'due' | 'proposed' | 'agreed' | 'moved' | 'merged' | 'done' | 'missed' | 'waived' | 'dropped';
export type Inspection = {
  id: string; contract_id: string; contract: string; site_id: string; site_name: string; site_name_zh: string; zone: string; rule: string; n: number; version: number;
  way: string; kinds: string[]; checklist: string[]; window_from: string; window_to: string; planned: string; day: string; outside: boolean; provisional: boolean;
  tell_by: string | null; state: InspectionState; merged_id: string | null; ticket_id: string | null; ticket_number: number | null; visit_id: string | null;
  visit_state: string | null; done_on: string | null; late: boolean; changed_at: number;
  /** How it came to be, where somebody planned it by hand and no rule owes it. */
  by_hand: { made_by: string; asked_by: string; asked_how: string; why: string } | null;
};
export type InspectionEvent = { seq: number; kind: string; at: number; actor: string; body: Record<string, unknown> };
export type InspectionStory = Inspection & { carries: { id: string; rule: string; n: number }[]; devices: number; events: InspectionEvent[] };
export type Coverage = { site_id: string; site_name: string; site_name_zh: string; devices: number; checked: number; unknown: number; done: number; unstated: number };
export type Gap = { from: string; to: string | null; after: string | null; before: string | null };
export type InspectionPlan = {
  contract_id: string; contract: string; site_id: string; site_name: string; site_name_zh: string; anchors: { event: string; day: string; set_by: string; set_at: number }[];
  waiting: { rule: string; event: string }[]; gaps: Gap[];
};
export type SheetItem = {
  /** The photos of its visit that show it. */
  photos: string[];
  /** How it is answered; what is not judged is written down. */
  kind: 'check' | 'text' | 'number' | 'people' | 'test';
  /** One more test beside those that were made: it may stay without an answer. */
  spare: boolean;
  key: string; device_id: string; device: string; en: string; zh: string; reading: boolean; proposed: { answer: 'ok' | 'bad'; at: number; evidence: Record<string, unknown> } | null;
  answer: { answer: string; value: string; what: string; wanted: string; note: string; by: string; at: number; seq: number; proposed: unknown; ticket_number: number | null } | null;
};
export type Sheet = { number: string | null; visit_id: string | null; items: SheetItem[]; open: number; bad: number };
/** The days that suit, the best first: where somebody is near anyway, and where there is time. */
export type SuitingDays = { items: { day: string; near: { site_name: string; site_name_zh: string; km: number; what: 'visit' | 'inspection' }[]; near_more: number; visits: number; full: boolean }[]; technicians: number; placed: boolean };
export type SheetSaid = { key: string; device_id: string; answer: string; value?: string; what?: string; wanted?: string; note?: string; ticket?: boolean; id?: string; seen?: number; over?: string };
export type NewInspection = { site_id: string; kind: string; way: string; day: string; until?: string; by: string; evidence: string; why: string; checklist: string[]; agreed: boolean };
export type Consent = { by?: string; evidence?: string; reason?: string; day?: string };

const id = encodeURIComponent;
export const inspections = {
  list: (filter: { from?: string; to?: string; site_id?: string; contract_id?: string }) => get<List<Inspection>>(`/inspections${query(filter)}`),
  one: (key: string) => get<InspectionStory>(`/inspections/${id(key)}`),
  plans: () => get<List<InspectionPlan>>('/inspections/plans'),
  coverage: (month: string) => get<List<Coverage>>(`/inspections/coverage${query({ month })}`),
  anchor: (body: { contract_id: string; site_id: string; event: string; day: string }) => put<List<InspectionPlan>>('/inspections/anchors', body),
  days: (key: string) => get<SuitingDays>(`/inspections/${id(key)}/days`),
  act: (key: string, step: 'agree' | 'move' | 'waive', body: Consent) => post<InspectionStory>(`/inspections/${id(key)}/${step}`, body),
  planOne: (body: NewInspection) => post<InspectionStory>('/inspections', body),
  withdraw: (key: string, reason: string) => post<InspectionStory>(`/inspections/${id(key)}/withdraw`, { reason }),
  done: (key: string, on: string, note: string) => post<InspectionStory>(`/inspections/${id(key)}/done`, { on, note }),
  report: (key: string, lang: string) => `/api/v1/inspections/${id(key)}/report.pdf${query({ lang })}`,
  sheet: (key: string) => get<Sheet>(`/inspections/${id(key)}/sheet`),
  answer: (key: string, answers: SheetSaid[]) => put<Sheet>(`/inspections/${id(key)}/sheet`, { answers }),
  allDevices: (key: string) => post<InspectionStory>(`/inspections/${id(key)}/devices`, {}),
};

/** The kinds that are planned by hand, each with how it is done where nobody says otherwise. */
export const BY_HAND: Record<string, 'visit' | 'phone' | 'remote'> = {
  training: 'visit', sample_test: 'visit', upgrade: 'remote', event_watch: 'visit', revisit: 'visit', phone: 'phone', check: 'visit', remote: 'remote', upkeep: 'visit', annual: 'visit',
};
export const PROOFS = ['call', 'mail', 'paper', 'chat'] as const;
/** What one is called: its rule and which of that; of one that was planned by hand, its kind in the reader's words. */
export const nameOf = (one: { rule: string; n: number; by_hand?: unknown }, kind: (word: string) => string) => `${one.by_hand ? kind(one.rule) : one.rule} ${one.n}`;
/** The names in a line, each once. */
export const people = (text: string) => [...new Set(text.split(/[,，、;；]/).map((name) => name.trim()).filter(Boolean))];

/** The mark that stands for a state; the word stands beside it. */
export const MARKS: Record<InspectionState, string> = {
  due: 'hand', proposed: 'degraded', agreed: 'ok', moved: 'maintenance', merged: 'suppressed', done: 'ok', missed: 'down', waived: 'unknown', dropped: 'suppressed',
};
export const isAhead = (one: Inspection) => ['due', 'proposed', 'agreed', 'moved'].includes(one.state);

const DAY = 86_400_000;
export const shift = (day: string, days: number) => new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);
/** The six weeks of a month, from the Monday on. */
export const sixWeeks = (monday: string) => Array.from({ length: 42 }, (_, i) => shift(monday, i));
/** Those with a visit of their own by day, each with the names of those that it carries. */
export function byDay(all: Inspection[], called: (one: Inspection) => string): Map<string, { one: Inspection; more: string[] }[]> {
  const days = new Map<string, { one: Inspection; more: string[] }[]>();
  const shown = new Set(all.map((one) => one.id));
  for (const one of all) {
    if (one.merged_id !== null && shown.has(one.merged_id)) continue;
    const more = all.filter((other) => other.merged_id === one.id).map(called);
    days.set(one.day, [...(days.get(one.day) ?? []), { one, more }]);
  }
  return days;
}
