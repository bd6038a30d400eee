// The technician's steps on their way: written to the phone first, sent in their order, taken away when the server has taken
// them. What the server refuses stays, with its reason, until a person sends it again or throws it away.
import { api, ApiError } from './api';
import { deviceNow, skewMs } from './clock.svelte';
import { inspections } from './inspections';
import { kept, type Waiting, type WaitingPhoto } from './kept';
import { session } from './session.svelte';
import { stock, type Own, type Use } from './stock';
import { after, fresh, visitsApi, type Briefing, type DayBriefing, type StepBody, type Visit } from './visits';

/** An item of a sheet, as far as a photo may show it. */
export type Shown = { key: string; device_id: string; device: string; en: string; zh: string };
type Person = { id: string; name: string };
const AGAIN_MS = 15_000;
/** What is taken along is asked again after this, and whenever there is another visit. */
const BRIEF_MS = 5 * 60_000;

class Outbox {
  /** The visits as the server last told them. */
  told = $state.raw<Visit[]>([]);
  toldAt = $state<number | null>(null);
  /** What lies in one's own van, as the server last told it. */
  van = $state.raw<Own[]>([]);
  /** What the sheets of inspections ask, by inspection, as the server last told it. */
  sheets = $state.raw<Record<string, Shown[]>>({});
  /** What to know of each visit, and when one is on duty, as the server last told it. */
  brief = $state.raw<DayBriefing>({ shifts: [], items: [] });
  #briefed = { of: '', at: 0 };
  /** The tag that the phone's camera has read, and when; it is offered for a while, on this page only. */
  tag = $state.raw<{ code: string; at: number } | null>(null);
  queue = $state.raw<Waiting[]>([]);
  photos = $state.raw<WaitingPhoto[]>([]);
  /** Whether the server answered the last time it was asked. */
  reached = $state(true);
  who = $state.raw<Person | null>(null);
  #skew: number | null = null;
  #busy = false;

  /** The visits with what is still to be sent. */
  get visits(): Visit[] {
    return this.told.map((visit) => {
      const mine = this.queue.filter((one) => one.visit === visit.id && !one.refused);
      const form = { ...visit.form };
      for (const one of mine) for (const [field, text] of Object.entries(one.body.fields ?? {})) form[field] = { text, by: this.who?.name ?? '', seq: form[field]?.seq ?? 0 };
      return { ...visit, form, state: mine.reduce((state, one) => after(state, one.body.kind), visit.state) };
    });
  }
  /** What is in the van, without what is still to be sent. */
  get own(): Own[] {
    const gone = this.queue.filter((one) => one.part && !one.refused).map((one) => one.part!);
    return this.van.flatMap((row) => {
      const mine = gone.filter((one) => one.kind_id === row.kind_id && one.owner_id === row.owner_id);
      const left = { ...row, quantity: row.quantity - mine.reduce((sum, one) => sum + one.quantity, 0), serials: row.serials.filter((one) => !mine.some((part) => part.serial === one)) };
      return left.quantity > 0 ? [left] : [];
    });
  }
  get refused(): Waiting[] { return this.queue.filter((one) => one.refused); }

  /** Reads what the phone keeps, then asks the server; afterwards whenever there is reason to. */
  async start() {
    this.who = (await kept.answer<Person>('who')) ?? null;
    const last = await kept.answer<{ visits: Visit[]; at: number }>('visits');
    this.#skew = (await kept.answer<number>('skew')) ?? null;
    if (last) { this.told = last.visits; this.toldAt = last.at; }
    this.van = (await kept.answer<Own[]>('van')) ?? [];
    this.sheets = (await kept.answer<Record<string, Shown[]>>('sheets')) ?? {};
    this.brief = (await kept.answer<DayBriefing>('brief')) ?? this.brief;
    this.queue = await kept.queue();
    this.photos = await kept.photos();
    addEventListener('online', () => void this.sync());
    document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') void this.sync(); });
    setInterval(() => void this.sync(), AGAIN_MS);
    await this.sync();
  }

  /** Takes a step: it is on the phone when this returns, and is sent as soon as that is possible. */
  async take(visit: string, body: StepBody, label: string) {
    const one: Waiting = { id: fresh(), visit, label, body: { source: 'phone', ...body, device_at: deviceNow(), skew_before_ms: this.#skew } };
    await kept.add(one);
    this.queue = await kept.queue();
    void this.sync();
  }
  /** Uses a part: it is on the phone when this returns, and is sent in its turn. */
  async use(visit: string, part: Use, label: string) {
    await kept.add({ id: fresh(), visit, label, part, body: { kind: 'part', device_at: deviceNow(), skew_before_ms: this.#skew } });
    this.queue = await kept.queue();
    void this.sync();
  }
  /** Keeps a photo; it is on the phone when this returns, and is sent after the steps, which are small and are waited for. */
  async keepPhoto(visit: string, bytes: ArrayBuffer, of?: Shown): Promise<string> {
    const id = fresh();
    await kept.keepPhoto({ id, visit, bytes, device_at: deviceNow(), skew_before_ms: this.#skew, ...(of ? { item: of.key, device_id: of.device_id } : {}) });
    this.photos = await kept.photos();
    void this.sync();
    return id;
  }
  async photoAgain({ refused: _, ...one }: WaitingPhoto) {
    await kept.keepPhoto(one);
    this.photos = await kept.photos();
    void this.sync();
  }
  async throwPhotoAway(one: WaitingPhoto) {
    await kept.dropPhoto(one.id);
    this.photos = await kept.photos();
  }
  async again(one: Waiting, body: Partial<StepBody> = {}) {
    const { refused: _, ...rest } = one;
    // Another content is another step.
    const id = Object.keys(body).length > 0 ? fresh() : one.id;
    await kept.change({ ...rest, id, body: { ...one.body, ...body } });
    this.queue = await kept.queue();
    void this.sync();
  }
  async throwAway(one: Waiting) {
    await kept.drop(one.place!);
    this.queue = await kept.queue();
  }

  /** Sends what waits, then asks for the visits; of several pages of this phone one at a time. */
  async sync() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await navigator.locks.request('sitewarden-outbox', async () => {
        await this.#find();
        if (!session.me || session.mustChange) return;
        await this.#send();
        await this.#ask();
        if (await this.#sendPhotos()) await this.#ask();
      });
      this.reached = true;
    } catch (error) {
      this.reached = !(error instanceof ApiError) || (error.status !== 0 && error.status < 500);
    } finally {
      this.#skew = skewMs ?? this.#skew;
      if (skewMs !== null) await kept.keep('skew', skewMs).catch(() => {});
      this.queue = await kept.queue();
      this.#busy = false;
    }
  }
  async #find() {
    if (session.me) return;
    try {
      session.take(await api.me());
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) session.me = null;
      throw error;
    }
    this.who = { id: session.me!.id, name: session.me!.name };
    await kept.keep('who', this.who);
  }
  async #ask() {
    const visits = (await visitsApi.mine()).items;
    this.told = visits;
    this.toldAt = deviceNow();
    await kept.keep('visits', { visits, at: this.toldAt });
    await this.#askSheets(visits);
    await this.#askBriefing(visits);
    if (!session.can('work_parts')) return;
    const [rows, kinds] = await Promise.all([stock.mine(), stock.kinds()]);
    this.van = rows.items.flatMap((row) => kinds.items.filter((kind) => kind.id === row.kind_id).map((kind) => ({ ...row, kind })));
    await kept.keep('van', this.van);
  }
  async #askBriefing(visits: Visit[]) {
    const of = visits.map((one) => one.id).sort().join();
    if (of === this.#briefed.of && deviceNow() - this.#briefed.at < BRIEF_MS) return;
    try {
      this.brief = await visitsApi.briefing();
      await kept.keep('brief', this.brief);
      this.#briefed = { of, at: deviceNow() };
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
  /** What to know of a visit. */
  briefing(visit: string): Briefing | undefined { return this.brief.items.find((one) => one.visit_id === visit); }
  /** The sheets of the inspections that one goes on. One that the server refuses is left as it was known: nothing else waits for it. */
  async #askSheets(visits: Visit[]) {
    const sheets: Record<string, Shown[]> = {};
    for (const { inspection_id } of visits) {
      if (!inspection_id) continue;
      try {
        const { items } = await inspections.sheet(inspection_id);
        sheets[inspection_id] = items.map(({ key, device_id, device, en, zh }) => ({ key, device_id, device, en, zh }));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const known = this.sheets[inspection_id];
        if (known) sheets[inspection_id] = known;
      }
    }
    this.sheets = sheets;
    await kept.keep('sheets', sheets);
  }
  /** Whether any was taken. */
  async #sendPhotos(): Promise<boolean> {
    let taken = false;
    for (const one of await kept.photos()) {
      taken = (await this.#sendPhoto(one)) || taken;
      // A step that was taken meanwhile does not wait for all of them.
      await this.#send();
    }
    return taken;
  }
  async #sendPhoto(one: WaitingPhoto): Promise<boolean> {
    const { id, visit, bytes, device_at, skew_before_ms, item, device_id, refused } = one;
    if (refused) return false;
    let taken = true;
    try {
      await visitsApi.photo(visit, id, bytes, { device_at, device_now: deviceNow(), skew_before_ms, item, device_id });
      await kept.dropPhoto(id);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await kept.keepPhoto({ ...one, refused: { code: error.code, message: error.message, hint: error.hint } });
      taken = false;
    }
    this.photos = await kept.photos();
    return taken;
  }
  async #send() {
    const stuck = new Set<string>();
    for (const one of await kept.queue()) {
      // What follows a refused step of the same visit waits for a person, too.
      if (one.refused) stuck.add(one.visit);
      if (stuck.has(one.visit)) continue;
      try {
        // What proves a step goes before it.
        for (const photo of await kept.photos()) if (one.body.evidence?.some((piece) => piece.kind === 'photo' && piece.code === photo.id)) await this.#sendPhoto(photo);
        const { device_at, skew_before_ms } = one.body;
        if (one.part) await stock.use(one.visit, one.id, { ...one.part, device_at, skew_before_ms, device_now: deviceNow() });
        else await visitsApi.step(one.visit, one.id, { ...one.body, device_now: deviceNow() });
        await kept.drop(one.place!);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        await kept.change({ ...one, refused: { code: error.code, message: error.message, hint: error.hint } });
        stuck.add(one.visit);
      }
      this.queue = await kept.queue();
    }
  }
}
/** Whether the server has looked at it and will never take it as it is; anything else is tried again. */
const isRefusal = (error: unknown): error is ApiError => error instanceof ApiError && error.status !== 0 && error.status !== 401 && error.status !== 429 && error.status < 500;
export const outbox = new Outbox();
