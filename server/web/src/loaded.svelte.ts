// Something fetched: its value, its error, and whether it is on its way. An answer that was overtaken is dropped.
export class Loaded<T> {
  value = $state.raw<T | undefined>();
  error = $state.raw<unknown>();
  busy = $state(false);
  #turn = 0;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ask: () => Promise<T>) {}
  async load(): Promise<void> {
    const turn = ++this.#turn;
    this.busy = true;
    try {
      const value = await this.ask();
      if (turn !== this.#turn) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (turn === this.#turn) this.error = error;
    } finally {
      if (turn === this.#turn) this.busy = false;
    }
  }
  /** Loads again shortly; several calls become one. */
  soon(ms = 300) {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.load(), ms);
  }
}

/** One act at a time: busy while it runs, its error kept for the page. */
export class Doing {
  busy = $state(false);
  error = $state.raw<unknown>();
  /** True when it went through. */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = undefined;
    try {
      await act();
      return true;
    } catch (error) {
      this.error = error;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
