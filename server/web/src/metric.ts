// Metrics in words: the wire's names carry their unit as a suffix (`rtt_ms`, `loss_percent`), the page writes it once.
import { count, word } from './text.svelte';

const UNITS: [RegExp, string, number][] = [
  [/_ms$/, ' ms', 2], [/_percent$|_pct$|_ratio$/, ' %', 1], [/_days$|^days_/, ' d', 0], [/_celsius$|_c$/, ' °C', 1], [/_bytes$/, ' B', 0], [/_mb$/, ' MB', 0],
  [/_mbps$/, ' Mbit/s', 1], [/_bps$/, ' bit/s', 0], [/_s$/, ' s', 1], [/_v$|_volts$/, ' V', 1], [/_w$|_watts$/, ' W', 1],
];

export function metricName(metric: string): string {
  const known = word('metric', metric);
  return known.charAt(0).toUpperCase() + known.slice(1);
}

/** A reading with its unit; `axis` leaves the unit away and is brief. */
export function metricValue(metric: string, value: number, axis = false): string {
  if (!axis && metric.endsWith('_ms') && Math.abs(value) >= 10_000) return `${count(value / 1000, 1)} s`;
  const found = UNITS.find(([pattern]) => pattern.test(metric));
  const ratio = /_ratio$/.test(metric) ? value * 100 : value;
  const digits = Math.abs(ratio) >= 100 ? 0 : (found?.[2] ?? 2);
  if (Math.abs(ratio) >= 1e6) return `${count(ratio / 1e6, 1)} M${axis ? '' : (found?.[1] ?? '').trim()}`;
  return count(ratio, digits) + (axis ? '' : (found?.[1] ?? ''));
}

/** Evidence as the gateway measured it: its own sentence, else each check's, else `name value · name value`. */
export function evidenceText(evidence: unknown): string {
  if (typeof evidence === 'string') return evidence;
  if (typeof evidence !== 'object' || evidence === null) return '';
  const { text, checks, picture_jpeg: _, ...rest } = evidence as Record<string, unknown>;
  if (typeof text === 'string' && text) return text;
  if (typeof checks === 'object' && checks !== null) return Object.entries(checks).map(([name, said]) => `${name}: ${String(said)}`).join(' · ');
  return Object.entries(rest)
    .filter(([, value]) => value !== null && value !== '' && typeof value !== 'object')
    .map(([name, value]) => `${word('metric', name)} ${typeof value === 'number' ? metricValue(name, value) : String(value)}`).join(' · ');
}
