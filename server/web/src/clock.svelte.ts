// The page's clock: the server's time, ticking once a second. The only place in the page that reads a clock.

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
/** A steady reading for spans within the page (no jumps). */
export const steady = () => performance.now();
