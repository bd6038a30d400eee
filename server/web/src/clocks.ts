// Clocks of contracts: the shapes of their routes, and how one reads now. Pure: `now` is an argument.
import { get, post, query } from './api';
import type { Mark } from './marks';
import { stopwatch } from './time';
import type { List, Severity, TicketState } from './types';

export type ClockState = 'not_started' | 'running' | 'paused' | 'met' | 'breached_running' | 'breached_met' | 'void';
export type LedgerEntry = { from: number; to: number; counted_s: number; why: 'working' | 'closed' | 'paused' | 'pause_refused' | 'pause_used_up' | 'stopped' | 'summed'; reason: string };
export type Segment = { from: number; priority: string | null; zone: string | null; version: string; budget_s: number | null };
export type TicketClock = {
  name: string; title: string; run: number; repeat: boolean; counts: boolean; supplier: boolean; state: ClockState; reason: string; approver: string;
  started_at: number | null; stopped_at: number | null; due_at: number | null; breached_at: number | null; provisional: boolean;
  budget_s: number; used_s: number; remaining_s: number; paused_s: number; calendar: string; goal_percent: number; start: string[]; stop: string[]; evidence: string[];
  segments: Segment[]; ledger: LedgerEntry[]; crossed: { share: number; at: number }[]; claimed: number[];
};
export type Notice = { name: string; run: number; share: number; reached: boolean; at: number; known_at: number; told_at: number | null; outcome: string };
export type Choices = {
  events: string[]; pauses: { reason: string; approver: string; most_s: number | null }[]; is_paused: boolean; evidence: string[];
  priorities: { name: string; title: string }[]; priority: string | null;
};
export type TicketClocks = {
  now: number; contract: { id: string; name: string; version: number; versions: number[] } | null; clocks: TicketClock[];
  undecided: { name: string; title: string; why: string }[]; notices: Notice[]; works_since: number | null; on_the_way: OnTheWay[]; choices: Choices;
};
export type OnTheWay = { visit_id: string; number: number; name: string; km: number | null; planned_at: number | null; departed_at: number | null; arrives_at: number | null; leave_by: number | null };
export type BoardClock = {
  ticket_id: string; number: number; title: string; code: string; severity: Severity; ticket_state: TicketState; site_id: string; site_name: string; site_name_zh: string; zone: string;
  device_name: string | null; holder: string | null; name: string; run: number; clock: string; state: 'running' | 'paused' | 'breached_running'; reason: string; supplier: boolean;
  due_at: number; provisional: boolean; budget_s: number; used_s: number; share: number; foreseen: boolean; counted_at: number;
};
export type ClockBoard = List<BoardClock> & { counts: Partial<Record<ClockState, number>> };

const id = encodeURIComponent;
export const clocksApi = {
  of: (ticket: string) => get<TicketClocks>(`/tickets/${id(ticket)}/clocks`),
  say: (ticket: string, fact: Record<string, unknown>) => post<TicketClocks>(`/tickets/${id(ticket)}/facts`, fact),
  rule: (ticket: string, ruling: Record<string, unknown>) => post<TicketClocks>(`/tickets/${id(ticket)}/ruling`, ruling),
  board: (filter: { state?: string; site_id?: string; name?: string; after?: string | number | null }) => get<ClockBoard>(`/clocks${query(filter)}`),
};

/** From here on a clock is at risk, per cent of its budget. */
const RISK = 75;
const DAY = 86_400_000;

/** The clocks that an arrival stops and that `at` is too late for, with by how much, ms. */
export function lateFor(clocks: TicketClock[], at: number | null): { title: string; by: number }[] {
  if (at === null) return [];
  const ends = (clock: TicketClock) => clock.stop.some((event) => event === 'arrived' || event === 'arrived_with_part');
  return clocks.filter((clock) => clock.state === 'running' && !clock.supplier && ends(clock) && clock.due_at !== null && at > clock.due_at)
    .map((clock) => ({ title: clock.title, by: at - (clock.due_at ?? at) }));
}

/** How a clock reads: its shape, the key of its word, the class of its bar. */
export type Reading = { mark: Mark; word: 'on_track' | 'at_risk' | 'over' | 'paused' | 'met' | 'late' | 'void' | 'waits'; bar: '' | 'risk' | 'over' | 'met' | 'paused' };

export function reading(state: ClockState, share: number): Reading {
  switch (state) {
    case 'running': return share >= RISK ? { mark: 'degraded', word: 'at_risk', bar: 'risk' } : { mark: 'ok', word: 'on_track', bar: '' };
    case 'breached_running': return { mark: 'down', word: 'over', bar: 'over' };
    case 'paused': return { mark: 'suppressed', word: 'paused', bar: 'paused' };
    case 'met': return { mark: 'ok', word: 'met', bar: 'met' };
    case 'breached_met': return { mark: 'down', word: 'late', bar: 'over' };
    case 'void': return { mark: 'suppressed', word: 'void', bar: '' };
    case 'not_started': return { mark: 'unknown', word: 'waits', bar: '' };
  }
}

/** What a running clock has used at `now`, seconds: it was told at `told`, and counts on while its last second did. */
export function used(clock: TicketClock, told: number, now: number): number {
  const last = clock.ledger[clock.ledger.length - 1];
  const counts = (clock.state === 'running' || clock.state === 'breached_running') && (last === undefined || last.why !== 'closed');
  return clock.used_s + (counts ? Math.max(0, Math.floor((now - told) / 1000)) : 0);
}

/** `00:08:24`, and with days `1 d 07:33`. */
export function countdown(ms: number, day: string): string {
  const days = Math.floor(ms / DAY);
  return days > 0 ? `${days} ${day} ${stopwatch(ms % DAY).slice(0, 5)}` : stopwatch(ms);
}

/** A ledger for people: neighbours of one kind are one row, and what goes on until now says so. */
export function rows(clock: TicketClock): LedgerEntry[] {
  const list: LedgerEntry[] = [];
  for (const entry of clock.ledger) {
    const last = list[list.length - 1];
    if (last && last.why === entry.why && last.reason === entry.reason && last.to === entry.from) list[list.length - 1] = { ...last, to: entry.to, counted_s: last.counted_s + entry.counted_s };
    else list.push(entry);
  }
  return list;
}
