// Parts: the shapes of their routes, one function per route, and what they are called.
import { get, post, put, query } from './api';
import { siteName, speech, word } from './text.svelte';
import type { List } from './types';

export type Kind = { id: string; number: string; name: string; name_zh: string; by_serial: boolean; price_fen: number; reorder_at: number; lead_days: number };
export type Place = { id: string; kind: string; name: string; account_id: string | null; account: string | null; site_id: string | null; site_name: string | null; site_name_zh: string | null };
export type Stock = { place_id: string; kind_id: string; owner_id: string | null; owner: string | null; quantity: number; serials: string[] };
export type Move = {
  id: string; seq: number; kind_id: string; number: string; name: string; name_zh: string; from_id: string; to_id: string; quantity: number; serial: string; owner_id: string | null;
  owner: string | null; why: string; note: string; ticket_id: string | null; ticket_number: number | null; visit_id: string | null; occurred_at: number; recorded_at: number; actor: string;
};
export type NewMove = { kind_id: string; from_id: string; to_id: string; quantity: number; serial: string; owner_id: string | null; note: string };
export type Loaner = {
  id: string; kind_id: string; number: string; name: string; name_zh: string; serial: string; ticket_id: string; ticket_number: number; site_id: string; site_name: string; site_name_zh: string; zone: string;
  customer: string; out_at: number; due_at: number; out_by: string; state: 'out' | 'returned' | 'damaged' | 'lost'; liable: string; ended_at: number | null; ended_by: string; note: string; overdue: boolean;
};
export type Repair = {
  id: string; ticket_id: string; ticket_number: number; site_name: string; site_name_zh: string; kind_id: string; number: string; name: string; name_zh: string; serial: string; component: string;
  level: string; factory_order: string; state: 'repair' | 'burn_in' | 'ready' | 'refitted' | 'scrapped'; changed_at: number;
  events: { seq: number; kind: string; at: number; actor: string; body: { level?: string; order?: string; work?: string; hours?: number; note?: string; paid?: boolean } }[];
};
export type Reorder = { kind_id: string; number: string; name: string; name_zh: string; lies: number; used: number; used_days: number; lead_days: number; order_at: number; order: number; cost_fen: number; lasts_days: number | null };
export type ConsignmentLine = { kind_id: string; number: string; name: string; name_zh: string; installed: number; rate_bp: number; quantity: number; price_fen: number };
export type Packed = { kind_id: string; quantity: number; serial: string };
/** What is sent to a site: the list, and what was packed. */
export type Consignment = {
  id: string; purpose: 'spares' | 'parts'; supply: 'included' | 'sale' | 'rental'; site_id: string; site_name: string; site_name_zh: string; customer: string; ticket_id: string | null; ticket_number: number | null;
  months: number; due_on: string; late: boolean; note: string; state: 'open' | 'released' | 'delivered' | 'returned' | 'dropped'; made_at: number; made_by: string; from_id: string | null; waybill: string; carrier: string;
  released_at: number | null; released_by: string; ended_at: number | null; ended_by: string; received_by: string; end_note: string; lines: ConsignmentLine[]; packed: Packed[];
};
export type NewConsignment = Pick<Consignment, 'purpose' | 'supply' | 'site_id' | 'ticket_id' | 'months' | 'due_on' | 'note'> & { lines: Omit<ConsignmentLine, 'number' | 'name' | 'name_zh'>[] };
/** A kind that is in use at a site, and how many spares of it that takes. */
export type Need = { kind_id: string; number: string; name: string; name_zh: string; price_fen: number; installed: number; rate_bp: number | null; used: number; everywhere: number; quantity: number };
/** A part used on a visit, as the phone sends it. */
export type Use = { kind_id: string; quantity: number; serial: string; owner_id: string | null; component: string; paid: boolean; consent: string };
/** What lies in one's own van, with what it is called. */
export type Own = Stock & { kind: Kind };

const id = encodeURIComponent;
export const stock = {
  all: () => get<List<Stock>>('/parts'),
  mine: () => get<List<Stock>>(`/parts${query({ mine: 'true' })}`),
  kinds: () => get<List<Kind>>('/parts/kinds'),
  putKind: (key: string, body: Omit<Kind, 'id'>) => put<Kind>(`/parts/kinds/${id(key)}`, body),
  places: () => get<List<Place>>('/parts/places'),
  putPlace: (key: string, body: { kind: string; name: string; account_id: string | null; site_id: string | null }) => put<Place>(`/parts/places/${id(key)}`, body),
  moves: (filter: { kind_id?: string; place_id?: string; before?: string }) => get<List<Move>>(`/parts/moves${query(filter)}`),
  move: (key: string, body: NewMove) => put<Move>(`/parts/moves/${id(key)}`, body),
  loaners: (all: boolean) => get<List<Loaner>>(`/loaners${query({ all: all ? 'true' : undefined })}`),
  lend: (key: string, body: { ticket_id: string; kind_id: string; serial: string; due_at: number }) => put<Loaner>(`/loaners/${id(key)}`, body),
  extend: (key: string, due_at: number) => post<Loaner>(`/loaners/${id(key)}/due`, { due_at }),
  endLoan: (key: string, body: { outcome: string; to_id: string | null; liable: string; note: string }) => post<Loaner>(`/loaners/${id(key)}/end`, body),
  repairs: (all: boolean) => get<List<Repair>>(`/repairs${query({ all: all ? 'true' : undefined })}`),
  openRepair: (key: string, body: { ticket_id: string; kind_id: string; serial: string; component: string; level: string }) => put<Repair>(`/repairs/${id(key)}`, body),
  repairStep: (key: string, body: { step: string; level: string; factory_order: string; work: string; hours: number | null; paid: boolean; note: string }) => post<Repair>(`/repairs/${id(key)}/steps`, body),
  consignments: (all: boolean) => get<List<Consignment>>(`/consignments${query({ all: all ? 'true' : undefined })}`),
  needs: (site_id: string, months: number) => get<List<Need>>(`/consignments/proposal${query({ site_id, months: String(months) })}`),
  putConsignment: (key: string, body: NewConsignment) => put<Consignment>(`/consignments/${id(key)}`, body),
  release: (key: string, body: { from_id: string; waybill: string; carrier: string; packed: Packed[] }) => post<Consignment>(`/consignments/${id(key)}/release`, body),
  endConsignment: (key: string, body: { outcome: string; received_by: string; note: string }) => post<Consignment>(`/consignments/${id(key)}/end`, body),
  reorders: () => get<List<Reorder>>('/parts/reorder'),
  use: (visit: string, key: string, body: Use & { device_at?: number; device_now?: number; skew_before_ms?: number | null }) => put<Move>(`/visits/${id(visit)}/parts/${id(key)}`, body),
};

/** The world outside: it has no bottom, and nothing is listed there. */
export const OUTSIDE = ['supplier', 'used', 'lost'];
export const SINGLE = [...OUTSIDE, 'workshop'];
export const kindName = (one: { name: string; name_zh: string }) => (speech.language === 'zh' ? one.name_zh : one.name);
export function placeName(one: Place): string {
  if (one.kind === 'van') return [one.account ?? '', one.name].filter(Boolean).join(' · ');
  if (one.kind === 'site') return [siteName({ name: one.site_name ?? '', name_zh: one.site_name_zh ?? '' })[0], one.name].filter(Boolean).join(' · ');
  return one.name || word('part.place', one.kind);
}

/** So many spares are needed for so many in use, of which a share in 1/100 % is replaced in a year. */
export const needed = (installed: number, rateBp: number, months: number) => Math.ceil((installed * rateBp * months) / 120_000);
