// An order that does not move under the pointer: while the list was touched in the last 5 s, changes wait and are counted.
import { steady } from './clock.svelte';

const QUIET_MS = 5000;

export class Held {
  /** The keys as shown. */
  order = $state.raw<string[]>([]);
  /** How many keys would come, go or move. */
  waiting = $state(0);
  #next: string[] = [];
  #inside = false;
  #touched = -QUIET_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The order as it should be now. */
  offer(next: string[]) {
    this.#next = next;
    this.#settle();
  }
  /** Shows what waits: the viewer asked, or acted. */
  show() {
    this.order = this.#next;
    this.waiting = 0;
    clearTimeout(this.#timer);
  }
  enter = () => { this.#inside = true; this.touch(); };
  leave = () => { this.#inside = false; this.#settle(); };
  touch = () => { this.#touched = steady(); };

  #settle() {
    clearTimeout(this.#timer);
    const changes = difference(this.order, this.#next);
    const left = this.#touched + QUIET_MS - steady();
    if (changes === 0 || !this.#inside || left <= 0 || this.order.length === 0) return this.show();
    this.waiting = changes;
    this.#timer = setTimeout(() => this.#settle(), left);
  }
}

function difference(a: string[], b: string[]): number {
  if (a.length === b.length && a.every((key, i) => key === b[i])) return 0;
  const had = new Set(a), has = new Set(b);
  const changed = a.filter((key) => !has.has(key)).length + b.filter((key) => !had.has(key)).length;
  return Math.max(1, changed);
}
