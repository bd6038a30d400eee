// The fault catalogue in words, fetched once; until it is here (or for a code newer than it) the code itself is shown.
import { api } from './api';
import { evidenceText } from './metric';
import { speech, t, tn } from './text.svelte';
import type { Effect, FaultEntry, Incident, Ticket } from './types';

class Faults {
  #entries = $state.raw<Map<string, FaultEntry>>(new Map());
  async load() {
    const { items } = await api.faults();
    this.#entries = new Map(items.map((entry) => [entry.code, entry]));
  }
  get codes(): string[] { return [...this.#entries.keys()]; }
  find(code: string): FaultEntry | undefined { return this.#entries.get(code); }
  title(code: string): string { return this.find(code)?.title[speech.language] ?? code.replaceAll('_', ' '); }
  meaning(code: string): string { return this.find(code)?.meaning[speech.language] ?? ''; }
  /** What was measured, in the catalogue's words; the gateway's own where the catalogue has none or a value is missing. */
  evidence(code: string, evidence: unknown): string {
    const words = this.find(code)?.evidence?.[speech.language];
    if (!words || typeof evidence !== 'object' || evidence === null) return evidenceText(evidence);
    const values = evidence as Record<string, unknown>;
    const keys = [...words.matchAll(/\{(\w+)\}/g)].map(([, key]) => key!);
    if (keys.some((key) => values[key] === undefined || values[key] === null)) return evidenceText(evidence);
    return words.replaceAll(/\{(\w+)\}/g, (_, key: string) => String(values[key]));
  }
  remedy(code: string): string { return this.find(code)?.remedy[speech.language] ?? ''; }
}
export const faults = new Faults();

/** What a ticket is about, in one sentence: a person's own words, or the fault of its device. */
export function ticketTitle(ticket: Pick<Ticket, 'title' | 'code' | 'device_name'> & Partial<Pick<Ticket, 'gateway_name' | 'incidents'>>): string {
  if (ticket.title) return ticket.title;
  const what = faults.title(ticket.code);
  const who = ticket.device_name ?? ticket.gateway_name;
  const unknown = ticket.incidents?.find((incident) => incident.closed_at === null)?.unknown_devices ?? 0;
  const text = who ? t('ticket.title', { who, what }) : what;
  return unknown > 0 ? `${text}${t('sep')}${tn('now.unknown_devices', unknown)}` : text;
}

export function incidentTitle(incident: Incident): string {
  const who = incident.device_name ?? incident.gateway_name;
  return t('ticket.title', { who, what: faults.title(incident.code) });
}

/** The mark of a trouble: its effect on the device; a ticket opened by hand has none. */
export function effectMark(effect: Effect | null | undefined): 'down' | 'degraded' | 'unknown' | 'hand' {
  return effect ? effect : 'hand';
}
