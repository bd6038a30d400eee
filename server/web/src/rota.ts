// Rotas: the shapes of their routes, one function per route, and how days are cut out of a zone.
import { get, patch, post, put, query, remove } from './api';
import { dayKey } from './time';
import type { List } from './types';

export type Person = { id: string; name: string; gone: boolean };
export type Every = { unit: 'day'; count: number } | { unit: 'week'; count: number; weekday: number } | { unit: 'month'; count: number; day: number };
export type LayerPlan = { name: string; every: Every; handover: string; start: string; order: string[][]; week: string[][] | null; office: string | null };
export type Plan = { zone: string; layers: LayerPlan[] };
export type Shift = {
  layer: number; account_id: string; name: string; instead_of: Person | null; override_id: string | null; start_at: number; end_at: number;
  turn_start_at: number; turn_end_at: number;
};
export type Gap = { layer: number; from_at: number; to_at: number; why: string };
export type RotaSummary = {
  id: string; name: string; note: string; team_id: string; team: string; zone: string; layers: string[]; archived_at: number | null;
  in_force: boolean[]; on_duty: Shift[]; next: Shift[]; gaps: Gap[];
};
export type RotaDetail = RotaSummary & { plan: Plan; versions: { version: number; from_at: number; reason: string; actor: string }[] };
export type Override = {
  id: string; layer: number | null; out: Person | null; by: Person | null; from_at: number; to_at: number; reason: string; swap_id: string | null;
  actor: string; removed_at: number | null; removed_by: string | null;
};
export type Layout = { shifts: Shift[]; gaps: Gap[]; overrides: Override[] };
export type Served = { id: string; name: string; name_zh: string };
export type Team = { id: string; name: string; note: string; archived_at: number | null; members: Person[]; customers: Served[]; sites: Served[] };
export type TeamBody = { name: string; note: string; members: string[]; customers: string[]; sites: string[] };
export type Stretch = { layer: number; from_at: number; to_at: number };
export type Swap = {
  id: string; rota_id: string; rota: string; asker: Person; mine: Stretch; other: Person; theirs: Stretch | null; reason: string;
  state: string; asked_at: number; answered_at: number | null; answer: string;
};
export type Call = {
  id: string; account_id: string; name: string; caller: string; phone: string; site_id: string | null; site: string | null; site_zh: string | null;
  ticket_number: number | null; matter: string; result: string; started_at: number; length_s: number; corrected: boolean;
};
export type DutyFact = {
  id: string; person: Person; kind: string; from_at: number; to_at: number | null; ticket_number: number | null; note: string; recorded_by: string; recorded_at: number;
  withdrawn_at: number | null; withdrawn_by: string | null; withdrawn_why: string | null;
};
export type Unsolved = {
  id: string; number: number; title: string; code: string; severity: string; site: string; site_zh: string; device: string | null; opened_at: number; owner: string | null; needs_successor: boolean;
};
export type Sheet = {
  id: string; rota_id: string; rota: string; from: Person; to: Person | null; from_at: number; to_at: number; state: string; note: string;
  body: { zone: string; duty_s: number; shifts: number; calls_s: number; calls: Call[]; unsolved: Unsolved[] };
  handed_at: number | null; accepted_at: number | null; accept_note: string;
};
export type Line = { kind: string; at: number | null; seconds: number | null; of_seconds: number | null; rate_fen: number; amount_fen: number };
export type Statement = { account_id: string; name: string; month: string; zone: string; lines: Line[]; total_fen: number; provisional: boolean; closed_at: number | null };
export type Terms = {
  allowance_fen: number; allowance_by_share: boolean; complaint_fen: number; absence_fen: number; unreachable_fen: number;
  ordinary_hour_fen: number; rest_hour_fen: number; statutory_hour_fen: number; calendar: string;
};

const id = encodeURIComponent;
export const rotas = {
  list: () => get<List<RotaSummary>>('/rotas'),
  one: (key: string) => get<RotaDetail>(`/rotas/${id(key)}`),
  add: (body: { team_id: string; name: string; plan: Plan }) => post<RotaDetail>('/rotas', body),
  setPlan: (key: string, body: { plan: Plan; reason: string }) => put<RotaDetail>(`/rotas/${id(key)}/plan`, body),
  end: (key: string) => patch<RotaDetail>(`/rotas/${id(key)}`, { archived: true }),
  layout: (key: string, from_at: number, to_at: number) => get<Layout>(`/rotas/${id(key)}/shifts${query({ from_at, to_at })}`),
  preview: (body: { rota_id: string | null; plan: Plan; to_at: number }) => post<Layout>('/rotas/preview', body),
  override: (key: string, body: { out_id: string | null; by_id: string | null; layer?: number | null; from_at: number; to_at: number; reason: string }) => post<Override>(`/rotas/${id(key)}/overrides`, body),
  removeOverride: (key: string, which: string) => remove(`/rotas/${id(key)}/overrides/${id(which)}`),
  teams: () => get<List<Team>>('/teams'),
  addTeam: (body: { name: string; members: string[] }) => post<Team>('/teams', body),
  changeTeam: (key: string, body: Partial<TeamBody> & { archived?: boolean }) => patch<Team>(`/teams/${id(key)}`, body),
  swaps: (rota_id: string) => get<List<Swap>>(`/swaps${query({ rota_id })}`),
  ask: (key: string, body: { mine: Stretch; other_id: string; theirs: Stretch | null; reason: string }) => post<Swap>(`/rotas/${id(key)}/swaps`, body),
  answer: (key: string, act: 'accept' | 'decline' | 'withdraw') => post<Swap>(`/swaps/${id(key)}/${act}`, { note: '' }),
  feed: (rota_id: string | null) => post<{ url: string }>('/feeds', { rota_id }),
  calls: (from_at: number) => get<List<Call>>(`/calls${query({ from_at })}`),
  addCall: (body: Record<string, unknown>) => post<Call>('/calls', body),
  correctCall: (key: string, body: Record<string, unknown>) => post<Call>(`/calls/${id(key)}/correct`, body),
  sheets: () => get<List<Sheet>>('/handovers'),
  draft: (rota_id: string, from_at: number, to_at: number) => get<Sheet>(`/handovers/draft${query({ rota_id, from_at, to_at })}`),
  handOver: (body: { rota_id: string; to_id: string; from_at: number; to_at: number; note: string }) => post<Sheet>('/handovers', body),
  accept: (key: string, note: string) => post<Sheet>(`/handovers/${id(key)}/accept`, { note }),
  takeBack: (key: string) => remove(`/handovers/${id(key)}`),
  statements: (month: string) => get<List<Statement>>(`/statements${query({ month })}`),
  close: (account: string, month: string) => post<Statement>(`/statements/${id(account)}/close${query({ month })}`),
  terms: () => get<List<{ from_month: string; terms: Terms }>>('/duty_terms'),
  setTerms: (body: { account_id: null; from_month: string; terms: Terms }) => post<void>('/duty_terms', body),
  fact: (body: Record<string, unknown>) => post<unknown>('/duty_facts', body),
  facts: (from_at: number, to_at: number) => get<List<DutyFact>>(`/duty_facts${query({ from_at, to_at })}`),
  withdrawFact: (key: string, reason: string) => post<void>(`/duty_facts/${id(key)}/withdraw`, { reason }),
};

/** The instant at which a clock in `zone` shows a local time, `2026-11-23T08:00`; of one shown twice, the first. */
export function instantOf(local: string, zone: string): number {
  const wanted = Date.parse(`${local.slice(0, 16)}:00Z`);
  const shown = (at: number) => {
    const parts = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(at);
    return Date.parse(`${parts.replace(' ', 'T')}Z`);
  };
  let at = wanted;
  for (let i = 0; i < 3; i++) at += wanted - shown(at);
  return at;
}

/** `2026-11-23T08:00` in a zone. */
export const localOf = (at: number, zone: string) =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' }).format(at).replace(' ', 'T');

/** The days from `first` on, as keys with their bounds. */
export function daysFrom(first: string, count: number, zone: string): { key: string; from: number; to: number }[] {
  const keys = Array.from({ length: count + 1 }, (_, i) => new Date(Date.parse(`${first}T00:00:00Z`) + i * 86_400_000).toISOString().slice(0, 10));
  const bounds = keys.map((key) => instantOf(`${key}T00:00`, zone));
  return keys.slice(0, count).map((key, i) => ({ key, from: bounds[i]!, to: bounds[i + 1]! }));
}

/** The Monday of the week of a day. */
export function mondayOf(key: string): string {
  const at = Date.parse(`${key}T00:00:00Z`);
  return new Date(at - ((new Date(at).getUTCDay() + 6) % 7) * 86_400_000).toISOString().slice(0, 10);
}
export const today = (now: number, zone: string) => dayKey(now, zone);
/** `1,234.50` from fen. */
export const yuan = (fen: number) => `${fen < 0 ? '−' : ''}¥${(Math.abs(fen) / 100).toFixed(2)}`;

/** Office hours of Monday to Friday as a calendar file, with the Chinese holidays and their make-up days. */
export const officeFile = (zone: string, spans: string) =>
  `name = "Office"\nzone = "${zone}"\nholidays = "CN"\nmake_up_days = true\n[week]\n` +
  ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((day) => `${day} = [${spans.split(/[,,、\s]+/).filter(Boolean).map((one) => `"${one}"`).join(', ')}]\n`).join('');
