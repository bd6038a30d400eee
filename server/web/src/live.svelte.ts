// The one stream: a snapshot, then numbered deltas and a beat every 5 s. It reconnects by itself with growing pauses,
// fetches the board again after a gap, and knows how old its figures are.
import { api } from './api';
import { BoardStore } from './board.svelte';
import { pageClock, steady } from './clock.svelte';
import { session } from './session.svelte';
import type { Board, Delta, Ticket } from './types';

/** Without a word for this long, the figures count as old. Beats come every 5 s. */
export const STALE_AFTER_MS = 15_000;
const PAUSES_MS = [1000, 2000, 5000, 10_000];
const REFETCH_EVERY_MS = 5000;

class Live {
  board = new BoardStore();
  /** Server time of the last word heard. */
  heardAt = $state(0);
  stale = $state(false);
  #source: EventSource | null = null;
  #heard = 0;
  #failures = 0;
  #promised = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #fetched = -REFETCH_EVERY_MS;
  #refetch: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<(delta: Delta | null) => void>();

  /** Opens the stream for the signed-in viewer. */
  start() {
    this.stop();
    this.#heard = steady();
    this.#watch = setInterval(() => this.#look(), 1000);
    this.#connect();
  }
  stop() {
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    clearTimeout(this.#refetch);
    this.#source?.close();
    this.#source = null;
    this.stale = false;
    this.board.ready = false;
  }
  /** Calls back with every delta (null: everything may have changed) until the returned function is called. */
  listen(listener: (delta: Delta | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** A ticket changed by the viewer's own act: shown at once, the stream confirms it. */
  put(ticket: Ticket) { this.board.putTicket(ticket); }

  /** Whether every number reaches this viewer; a customer is sent only the deltas that concern it. */
  get #whole() { return session.me?.role !== 'customer'; }

  #connect() {
    clearTimeout(this.#retry);
    const source = new EventSource('/api/v1/live');
    this.#source = source;
    const on = <T>(name: string, handle: (value: T) => void) =>
      source.addEventListener(name, (event) => {
        this.#failures = 0;
        handle(JSON.parse((event as MessageEvent<string>).data) as T);
      });
    on<Board>('snapshot', (board) => {
      this.board.replace(board);
      this.#promised = board.seq;
      this.#hear(board.at);
      this.#tell(null);
    });
    on<Delta>('delta', (delta) => {
      this.#hear(delta.at);
      if (delta.seq <= this.board.seq) return; // older than the board we fetched after a gap
      const gap = this.#whole && delta.seq > this.board.seq + 1;
      if (!this.board.apply(delta) || gap) this.#fetchBoard();
      this.#tell(delta);
    });
    on<{ at: number; seq: number }>('beat', (beat) => {
      this.#hear(beat.at);
      // A number the last beat named and that has not come by now is lost; the newest may still be on its way.
      if (this.#whole && this.board.ready && this.#promised > this.board.seq) this.#fetchBoard();
      this.#promised = beat.seq;
    });
    source.onerror = () => {
      source.close();
      if (this.#source !== source) return;
      const pause = PAUSES_MS[Math.min(this.#failures++, PAUSES_MS.length - 1)]!;
      this.#retry = setTimeout(() => void this.#again(), pause * (0.8 + 0.4 * Math.random()));
    };
  }
  async #again() {
    // EventSource hides the status: ask who we are, so that an ended session leads to the sign-in page.
    await session.find().catch(() => {});
    if (session.me) this.#connect();
  }
  #fetchBoard() {
    if (this.#refetch !== undefined) return;
    const wait = Math.max(0, this.#fetched + REFETCH_EVERY_MS - steady());
    this.#refetch = setTimeout(async () => {
      this.#refetch = undefined;
      this.#fetched = steady();
      const board = await api.board().catch(() => null);
      if (!board) return;
      this.board.replace(board);
      this.#tell(null);
    }, wait);
  }
  #hear(at: number) {
    this.#heard = steady();
    this.heardAt = at;
    this.stale = false;
    pageClock.hear(at);
  }
  #look() { this.stale = steady() - this.#heard > STALE_AFTER_MS; }
  #tell(delta: Delta | null) { for (const listener of this.#listeners) listener(delta); }
}
export const live = new Live();
