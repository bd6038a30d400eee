// How spans and instants are written. Pure: `now`, the zone and the language are arguments.
import type { Language } from './types';

const UNITS: Record<Language, [string, string, string, string]> = {
  en: [' d', ' h', ' min', ' s'],
  zh: [' 天', ' 小时', ' 分', ' 秒'],
};

/** `36 s`, `6 min 36 s`, `10 h 36 min`, `1 d 4 h`: two units at most. Negative spans count as zero. */
export function span(ms: number, language: Language): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const [d, h, m, s] = UNITS[language];
  const days = Math.floor(total / 86400), hours = Math.floor(total / 3600) % 24, minutes = Math.floor(total / 60) % 60, seconds = total % 60;
  if (days > 0) return hours > 0 && days < 30 ? `${days}${d} ${hours}${h}` : `${days}${d}`;
  if (hours > 0) return minutes > 0 ? `${hours}${h} ${minutes}${m}` : `${hours}${h}`;
  if (minutes > 0) return `${minutes}${m} ${seconds}${s}`;
  return `${seconds}${s}`;
}

/** `00:14:13`, for the bands that say how old the figures are. */
export function stopwatch(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  return [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60].map((n) => String(n).padStart(2, '0')).join(':');
}

const formats = new Map<string, Intl.DateTimeFormat>();
function format(tag: string, zone: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${tag}|${zone ?? ''}|${JSON.stringify(options)}`;
  let made = formats.get(key);
  if (!made) {
    try {
      made = new Intl.DateTimeFormat(tag, { ...options, timeZone: zone || undefined });
    } catch {
      made = new Intl.DateTimeFormat(tag, options); // a zone this browser does not know: the viewer's own
    }
    formats.set(key, made);
  }
  return made;
}

const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

/** `03:12:08`. */
export const clock = (at: number, zone: string | undefined, tag: string) => format(tag, zone, CLOCK).format(at);
/** `Thu 19 Nov`. */
export const day = (at: number, zone: string | undefined, tag: string) =>
  format(tag, zone, { weekday: 'short', day: 'numeric', month: 'short' }).format(at).replace(',', '');
/** `2026-11-19`, to compare days. */
export const dayKey = (at: number, zone: string | undefined) => format('sv-SE', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(at);

/** `03:12:08` today, `22:50:03 Tue` within six days, `19 Nov 03:12:08` before, with the year once it is another one. */
export function instant(at: number, now: number, zone: string | undefined, tag: string): string {
  const time = clock(at, zone, tag);
  const that = dayKey(at, zone), today = dayKey(now, zone);
  if (that === today) return time;
  if (Math.abs(now - at) < 6 * 86_400_000) return `${time} ${format(tag, zone, { weekday: 'short' }).format(at)}`;
  const options: Intl.DateTimeFormatOptions = that.slice(0, 4) === today.slice(0, 4) ? { day: 'numeric', month: 'short' } : { day: 'numeric', month: 'short', year: 'numeric' };
  return `${format(tag, zone, options).format(at)} ${time}`;
}

/** Date only, `2 Apr 2027`. */
export const date = (at: number, zone: string | undefined, tag: string) => format(tag, zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(at);

/** The whole instant with its zone, for tooltips: the viewer's own zone unless one is named. */
export const full = (at: number, tag: string, zone?: string) =>
  format(tag, zone, { ...CLOCK, year: 'numeric', month: 'short', day: 'numeric', weekday: 'short', timeZoneName: 'short' }).format(at);
