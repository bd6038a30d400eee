// The one time axis of a device page: timeline and charts share its room, its span and its ticks.
import { clock, day } from '../time';

/** Room at the right for figures, in pixels. */
export const AXIS_WIDTH = 56;
const HOUR = 3_600_000;

/** Whole steps of the site's zone, ten minutes to days, between two instants, thinned to what fits. */
export function ticks(from: number, to: number, zone: string, tag: string, width: number): { at: number; text: string }[] {
  const length = to - from;
  const step = length <= HOUR ? HOUR / 6 : length <= 24 * HOUR ? 4 * HOUR : length <= 168 * HOUR ? 24 * HOUR : 120 * HOUR;
  const shift = ahead(from, zone);
  const list: { at: number; text: string }[] = [];
  for (let at = Math.ceil((from + shift) / step) * step - shift; at < to; at += step) {
    const x = ((at - from) / length) * width;
    if (x > 18 && x < width - 18) list.push({ at, text: step < 24 * HOUR ? clock(at, zone, tag).slice(0, 5) : day(at, zone, tag) });
  }
  return width < 480 ? list.filter((_, i) => i % 2 === 0) : list;
}

/** How far a zone is ahead of UTC at an instant, in milliseconds. */
function ahead(at: number, zone: string): number {
  try {
    const local = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(at);
    return Math.round((Date.parse(`${local.replace(' ', 'T')}Z`) - at) / 60_000) * 60_000;
  } catch {
    return 0;
  }
}
