// The page's clock: the server's time, ticking once a second. The only place in the page that reads a clock, but for what
// `early.ts` asks before this is here.

class PageClock {
  /** Unix milliseconds by the server's clock. */
  now = $state(Date.now());
  #ahead = 0;

  constructor() {
    setInterval(() => this.tick(), 1000);
    document.addEventListener('visibilitychange', () => this.tick());
  }
  /** The server said its time just now; later readings follow it. */
  hear(at: number) {
    this.#ahead = at - Date.now();
    this.tick();
  }
  /** Now, to the millisecond, without waiting for the tick. */
  read(): number { return Date.now() + this.#ahead; }
  tick() { this.now = this.read(); }
}
export const pageClock = new PageClock();
/** What this device's own clock shows, right or wrong. */
export const deviceNow = () => Date.now();
/** How far this device's clock is ahead of the server's, ms, as its last answer told (to the second); null before the first. */
export let skewMs: number | null = null;
/** An answer came at a time of this device, now unless it lay here for a while, dated by the server. */
export function hearDate(date: string | null, came = Date.now()) {
  const at = date ? Date.parse(date) : NaN;
  if (!Number.isNaN(at)) skewMs = came - (at + 500);
}
/** A steady reading for spans within the page (no jumps). */
export const steady = () => performance.now();
