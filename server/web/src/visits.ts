// Visits: their shapes on the wire, their routes, and what may come next in one.
import { get, post, put, query, remove } from './api';
import type { Severity, State } from './types';

export type VisitState = 'planned' | 'assigned' | 'accepted' | 'departed' | 'arrived' | 'working' | 'paused' | 'done' | 'signed' | 'unsigned' | 'called_back' | 'filed' | 'cancelled';
export type VisitField = { text: string; by: string; seq: number };
export type Visit = {
  id: string; ticket_id: string; ticket_number: number; ticket_state: string; title: string; code: string; severity: Severity; opened_at: number;
  device_id: string | null; device_name: string | null; device_state: State | null; site_id: string; site_name: string; site_name_zh: string; zone: string; address: string;
  contact_name: string; contact_phone: string; number: number; follows_id: string | null; purpose: string; planned_at: number | null; state: VisitState; reason: string; level: string;
  arrived_at: number | null; due_at: number | null; due_what: string | null; members: { account_id: string; name: string }[]; form: Record<string, VisitField>;
  photos: number; inspection_id: string | null; created_by: string; created_at: number; changed_at: number;
};
export type Piece = {
  kind: string; code?: string; by?: string; lat?: number; lon?: number; datum?: string; accuracy_m?: number;
  doubt?: string; distance_m?: number; gateway_id?: string;
};
/** What was drawn: on a field, points from stroke to stroke, x, y, x, y and so on. */
export type Signature = { width: number; height: number; strokes: number[][] };
export type VisitEvent = {
  id: string; seq: number; kind: string; occurred_at: number; recorded_at: number; device_at: number | null; skew_ms: number | null; actor: string; source: string;
  body: { reason?: string; text?: string; who?: string; people?: string[]; level?: string; evidence?: Piece[]; fields?: Record<string, string>; device_state?: string; satisfied?: number; signature?: Signature };
};
export type VisitStory = Visit & { events: VisitEvent[] };
export type StepBody = {
  kind: string; occurred_at?: number | null; device_at?: number; device_now?: number; skew_before_ms?: number | null; source?: string; reason?: string; note?: string;
  members?: string[]; evidence?: Piece[]; fields?: Record<string, string>; seen?: number; who?: string; satisfied?: number; signature?: Signature;
};

/** Somebody who may go, with what speaks for and against. */
export type Candidate = {
  account_id: string; account: string; fit: boolean; engineer: boolean; team: string | null; on_duty: boolean; van: boolean; km: number | null; from: 'home' | 'visit' | null;
  skill: { state: 'has' | 'expired' | 'missing'; skill: string; certificate: string; expires_at: number | null } | null;
  there_at: number | null; late: boolean | null; taken_by: number | null; visits: number;
};
export type Dispatch = { skills: string[]; due_at: number | null; placed: boolean; items: Candidate[]; more: number; managers: string[] };

/** What a technician takes along of one visit, and when on duty. */
export type Briefing = {
  visit_id: string; notes: string; lat: number | null; lon: number | null;
  device: { id: string; class: string; place: string; address: string; model: string; serial: string; state: State; since: number; known_at: number | null; parents: { name: string; state: State }[]; faults: { code: string; since: number }[] } | null;
  history: { number: number; code: string; title: string; opened_at: number; closed_at: number | null; cause: string; solution: string }[];
  around: { name: string; class: string; state: State; since: number }[]; around_more: number;
};
export type DayBriefing = { shifts: { rota: string; layer: string; start_at: number; end_at: number }[]; items: Briefing[] };

/** Tickets of the same fault on the same device before, and the repair that did not hold. */
export type RepeatedFault = { items: { number: number; opened_at: number; closed_at: number | null; repaired: boolean; cause: string; solution: string }[]; after_repair: number | null };

/** A tag that hangs at a site. */
export type SiteTag = { id: string; code: string; place: string; made_by: string; made_at: number; revoked_at: number | null };

const id = encodeURIComponent;
export const visitsApi = {
  ofTicket: (ticket: string) => get<{ items: VisitStory[] }>(`/tickets/${id(ticket)}/visits`),
  mine: () => get<{ items: Visit[] }>(`/visits${query({ mine: 'true' })}`),
  standing: () => get<{ items: Visit[] }>('/visits'),
  get: (visit: string) => get<VisitStory>(`/visits/${id(visit)}`),
  plan: (visit: string, body: { ticket_id: string; planned_at?: number | null; follows_id?: string | null; purpose?: string; members?: string[] }) => put<VisitStory>(`/visits/${id(visit)}`, body),
  photo: (visit: string, photo: string, bytes: ArrayBuffer, said: { device_at: number; device_now: number; skew_before_ms: number | null; item?: string; device_id?: string }) =>
    put<VisitStory>(`/visits/${id(visit)}/photos/${id(photo)}${query(said)}`, new Blob([bytes], { type: 'image/jpeg' })),
  photoUrl: (visit: string, photo: string, size?: 'small') => `/api/v1/visits/${id(visit)}/photos/${id(photo)}${query({ size })}`,
  slip: (visit: string, lang: string) => `/api/v1/visits/${id(visit)}/slip.pdf${query({ lang })}`,
  tags: (site: string) => get<{ items: SiteTag[] }>(`/sites/${id(site)}/tags`),
  addTag: (site: string, place: string) => post<SiteTag>(`/sites/${id(site)}/tags`, { place }),
  endTag: (site: string, tag: string) => remove(`/sites/${id(site)}/tags/${id(tag)}`),
  tagSheet: (site: string, lang: string) => `/api/v1/sites/${id(site)}/tags.pdf${query({ lang })}`,
  repeats: (ticket: string) => get<RepeatedFault>(`/tickets/${id(ticket)}/repeats`),
  briefing: () => get<DayBriefing>('/briefing'),
  /** An empty skill asks for none, which is something else than none given. */
  dispatch: (ticket: string, asked: { at?: string; skill?: string; visit?: string }) => get<Dispatch>(`/tickets/${id(ticket)}/dispatch?${new URLSearchParams(asked)}`),
  step: (visit: string, step: string, body: StepBody) => put<VisitStory>(`/visits/${id(visit)}/steps/${id(step)}`, body),
};

/** The step that a technician takes next, in each state; none where it is others' turn. */
export const NEXT: Partial<Record<VisitState, string>> = { assigned: 'accepted', planned: 'accepted', accepted: 'departed', departed: 'arrived', arrived: 'working', paused: 'working', working: 'done', done: 'signed' };
/** Where a visit stands after a step, as far as the phone can tell before the server has heard of it. */
export function after(state: VisitState, step: string): VisitState {
  const ORDER: VisitState[] = ['planned', 'assigned', 'accepted', 'departed', 'arrived', 'working', 'paused', 'done', 'signed'];
  if (step === 'working' && state === 'paused') return 'working';
  if (step === 'paused' || step === 'unsigned' || step === 'cancelled') return step;
  const [from, to] = [ORDER.indexOf(state), ORDER.indexOf(step as VisitState)];
  return to > from ? (step as VisitState) : state;
}
/** Of a state: which mark stands before it. */
export const visitMark = (state: VisitState) => (['done', 'signed', 'called_back', 'filed'].includes(state) ? 'ok' : state === 'paused' || state === 'unsigned' ? 'degraded' : state === 'cancelled' ? 'suppressed' : state === 'planned' ? 'unknown' : 'hand');
export const isProof = (level: string) => !['', 'claimed', 'stated'].includes(level);
/** The strokes as a path of an SVG; a dot is a line of no length. */
export const path = (drawn: Signature) => drawn.strokes.map((stroke) => `M${stroke[0]} ${stroke[1]}${stroke.length > 2 ? `L${stroke.slice(2).join(' ')}` : 'h0'}`).join('');
/** What was used of the field, with a margin, as the view of an SVG: a small signature is shown as large as any. */
export function used({ width, height, strokes }: Signature): string {
  const side = (axis: number, all: number) => {
    const places = strokes.flatMap((stroke) => stroke.filter((_, i) => i % 2 === axis)), margin = all / 20;
    const [least, most] = [Math.min(...places), Math.max(...places)];
    return [least - margin, most - least + 2 * margin] as const;
  };
  const [left, wide] = side(0, width), [top, high] = side(1, height);
  return [left, top, wide, high].join(' ');
}
/** A new id: visits and steps are named by whoever makes them. */
export const fresh = () => crypto.randomUUID();
