// Metrics in words: the wire's names carry their unit as a suffix (`rtt_ms`, `loss_percent`), the page writes it once.
import { count, word } from './text.svelte';

const UNITS: [RegExp, string, number][] = [
  [/_ms$/, ' ms', 2], [/_percent$|_pct$|_ratio$/, ' %', 1], [/_days$|^days_/, ' d', 0], [/_celsius$|_c$/, ' °C', 1], [/_bytes$/, ' B', 0],
  [/_mbps$/, ' Mbit/s', 1], [/_bps$/, ' bit/s', 0], [/_s$/, ' s', 1], [/_v$|_volts$/, ' V', 1], [/_w$|_watts$/, ' W', 1],
];

export function metricName(metric: string): string {
  const known = word('metric', metric);
  return known.charAt(0).toUpperCase() + known.slice(1);
}

/** A reading with its unit; `axis` leaves the unit away and is brief. */
export function metricValue(metric: string, value: number, axis = false): string {
  const found = UNITS.find(([pattern]) => pattern.test(metric));
  const ratio = /_ratio$/.test(metric) ? value * 100 : value;
  const digits = Math.abs(ratio) >= 100 ? 0 : (found?.[2] ?? 2);
  if (Math.abs(ratio) >= 1e6) return `${count(ratio / 1e6, 1)} M${axis ? '' : (found?.[1] ?? '').trim()}`;
  return count(ratio, digits) + (axis ? '' : (found?.[1] ?? ''));
}

/** Evidence as the gateway measured it: a flat JSON object becomes `name value · name value`; a sentence stays. */
export function evidenceText(evidence: string | null | undefined): string {
  if (!evidence || !evidence.startsWith('{')) return evidence ?? '';
  try {
    const entries = Object.entries(JSON.parse(evidence) as Record<string, unknown>).filter(([, value]) => value !== null && value !== '');
    if (entries.length === 1 && typeof entries[0]![1] === 'string') return entries[0]![1];
    return entries.map(([name, value]) => `${word('metric', name)} ${typeof value === 'number' ? metricValue(name, value) : String(value)}`).join(' · ');
  } catch {
    return evidence;
  }
}
