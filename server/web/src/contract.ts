// Contracts and calendars: shapes, routes, the texts that are kept in this browser until they are saved, and how their lines are counted.
import { get, post, put, query } from './api';
import type { List } from './types';

export type Said = { en: string; zh: string };
export type Remark = { weight: 'error' | 'question' | 'decided'; code: string; key: string; line: number; column: number; problem: Said; remedy: Said };
export type Named = { name: string; title: string };
export type Outline = { id: string; name: string; kind: string; zone: string; begins: string | null; ends: string | null; priorities: Named[]; zones: Named[]; calendars: string[]; prices: Named[]; needs: string[] };
export type Check = { verdict: 'usable' | 'open' | 'refused'; remarks: Remark[]; outline: Outline | null };
export type ContractState = 'registered' | 'accepted' | 'in_service' | 'ended';
export type ContractEntry = {
  id: string; customer_id: string; customer: string; name: string; number: string; kind: string; state: ContractState; version: number; sites: number;
  begins: string | null; ends: string | null; remind_at: number | null; created_at: number; changed_at: number; service_at: number | null; ended_at: number | null;
};
export type VersionHead = { number: number; valid_from: number; author: string; note: string; created_at: number };
export type Lacking = { code: string; about: string | null; words: Said };
export type Covered = { site_id: string; name: string; name_zh: string; zone: string; time_zone: string };
export type Step = { seq: number; kind: string; at: number; actor: string; detail: Record<string, unknown> };
export type ContractDetail = ContractEntry & { text: string; versions: VersionHead[]; in_force: number | null; covered: Covered[]; zones: Named[]; needs: string[]; lacks: Lacking[]; record: Step[] };
export type DifferenceRow = { kind: 'same' | 'out' | 'in' | 'skipped'; before: number | null; after: number | null; text: string; lines: number };
export type Ledger = { from_at: number; to_at: number; counted_s: number; why: string; reason: string | null };
export type Promised = { clock: string; title: string; supplier: boolean; start: string[]; stop: string[]; with_call: boolean; due_at: number | null; provisional: boolean; budget_s: number | null; goal_percent: number; undecided: Said | null; ledger: Ledger[]; more: number };
export type Preview = { at: number; time_zone: string; promises: Promised[] };
export type Charge = { item: string; title: string; amount_fen: number | null; how: Said; tax_included: boolean; needs: Said[] };
export type Quote = { charges: Charge[]; total_fen: number | null; open: boolean; least_prices: boolean };
export type TemplateHead = { name: string; about: string; title: string; kind: string };
export type CalendarEntry = { contract_id: string; contract: string; calendar: string; sites: Omit<Covered, 'zone'>[] };
export type CalendarDay = { date: string; public: '' | 'holiday' | 'day_off' | 'make_up'; name: string; name_zh: string; spans: string[]; own: boolean; provisional: boolean };
export type CalendarDays = { time_zone: string; known_until: string | null; has_hours: boolean; days: CalendarDay[] };

const of = (key: string) => `/contracts/${encodeURIComponent(key)}`;
export const contracts = {
  list: (of: { site_id?: string | null; customer_id?: string | null } = {}) => get<List<ContractEntry>>(`/contracts${query(of)}`),
  one: (key: string) => get<ContractDetail>(of(key)),
  version: (key: string, number: number) => get<VersionHead & { text: string }>(`${of(key)}/versions/${number}`),
  difference: (key: string, before: number, after: number) => get<List<DifferenceRow>>(`${of(key)}/difference${query({ before, after })}`),
  register: (body: Record<string, unknown>) => post<ContractDetail>('/contracts', body),
  save: (key: string, body: Record<string, unknown>) => post<ContractDetail>(`${of(key)}/versions`, body),
  cover: (key: string, sites: { site_id: string; zone: string }[]) => put<ContractDetail>(`${of(key)}/sites`, { sites }),
  step: (key: string, act: 'accept' | 'withdraw' | 'serve' | 'end', body: Record<string, unknown> = {}) => post<ContractDetail>(`${of(key)}/${act}`, body),
  check: (text: string) => post<Check>('/contracts/check', { text }),
  compare: (before: string, after: string) => post<List<DifferenceRow>>('/contracts/compare', { before, after }),
  preview: (body: Record<string, unknown>) => post<Preview>('/contracts/preview', body),
  quote: (body: Record<string, unknown>) => post<Quote>('/contracts/quote', body),
  templates: () => get<List<TemplateHead>>('/contracts/templates'),
  template: (name: string) => get<{ name: string; text: string }>(`/contracts/templates/${encodeURIComponent(name)}`),
  calendars: () => get<List<CalendarEntry>>('/calendars'),
  days: (from: string, to: string, more: { contract_id?: string; calendar?: string; site_id?: string }) => get<CalendarDays>(`/calendars/days${query({ from, to, ...more })}`),
};

/** A text that was typed and not saved: on which version it was made, and when it was last touched. */
export type Draft = { text: string; base: number; at: number };
const STORE = 'sitewarden.contract.';

/** Texts that were typed here and not saved, by contract; `new` is one that is not registered yet. */
export const drafts = {
  read(key: string): Draft | null {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(STORE + key) ?? 'null');
      return kept && typeof kept === 'object' && 'text' in kept && typeof kept.text === 'string' ? (kept as Draft) : null;
    } catch {
      return null;
    }
  },
  /** False where the browser does not keep it: private mode, no room. */
  keep(key: string, draft: Draft): boolean {
    try {
      localStorage.setItem(STORE + key, JSON.stringify(draft));
      return true;
    } catch {
      return false;
    }
  },
  drop: (key: string) => localStorage.removeItem(STORE + key),
};

/** Where a line stands in a text: its first character and the one after its last. Lines count from 1. */
export function lineAt(text: string, line: number): [number, number] {
  let start = 0;
  for (let n = 1; n < line; n++) {
    const end = text.indexOf('\n', start);
    if (end < 0) break;
    start = end + 1;
  }
  const end = text.indexOf('\n', start);
  return [start, end < 0 ? text.length : end];
}
export const countLines = (text: string) => text.split('\n').length;
export const lineOf = (text: string, offset: number) => countLines(text.slice(0, offset));

/** Whole days from today until a date of a contract; negative once it has passed. */
export const daysUntil = (date: string, today: string) => Math.round((Date.parse(date) - Date.parse(today)) / 86_400_000);
