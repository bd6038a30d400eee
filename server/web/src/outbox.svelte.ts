// The technician's steps on their way: written to the phone first, sent in their order, taken away when the server has taken
// them. What the server refuses stays, with its reason, until a person sends it again or throws it away.
import { api, ApiError } from './api';
import { deviceNow, skewMs } from './clock.svelte';
import { inspections, type Sheet, type SheetItem, type SheetSaid } from './inspections';
import { atStart, kept, type Waiting, type WaitingPhoto } from './kept';
import { session } from './session.svelte';
import type { Me } from './types';
import { stock, type Own, type Use } from './stock';
import { after, fresh, visitsApi, type Briefing, type DayBriefing, type StepBody, type Visit, type VisitStory } from './visits';

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
  /** The sheets of inspections, by inspection, as the server last told them. */
  sheets = $state.raw<Record<string, Sheet>>({});
  /** Of each item one's own last answer, whose place in the record the phone may not know yet. */
  #own = new Map<string, string>();
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
  /** Who it is and what they have to do, as it was asked when the page began; taken once. */
  #early: { me: Promise<Me>; visits: Promise<Visit[] | null> } | null = null;
  #busy = false;
  /** Whether there was reason to ask while it was being asked. */
  #more = false;

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
  get own(): Own[] { return this.queue.reduce((van, one) => (one.part && !one.refused ? without(van, one.part) : van), this.van); }
  get refused(): Waiting[] { return this.queue.filter((one) => one.refused); }

  /** Reads what the phone keeps, then asks the server; afterwards whenever there is reason to. */
  async start() {
    // Who it is and what they have to do are asked side by side, while the phone looks up what it keeps.
    this.#early = { me: api.me(), visits: visitsApi.mine().then(({ items }) => items, () => null) };
    this.#early.me.catch(() => {});
    const { answers, queue, photos } = await atStart;
    const answer = <T>(key: string) => answers.get(key) as T | undefined;
    this.who = answer<Person>('who') ?? null;
    this.#skew = answer<number>('skew') ?? null;
    const last = answer<{ visits: Visit[]; at: number }>('visits');
    if (last) { this.told = last.visits; this.toldAt = last.at; }
    this.van = answer<Own[]>('van') ?? [];
    this.sheets = answer<Record<string, Sheet>>('whole_sheets') ?? {};
    this.brief = answer<DayBriefing>('brief') ?? this.brief;
    this.queue = queue;
    for (const { id, said } of this.queue) if (said) this.#own.set(placeOf(said.inspection, said.answer), id);
    this.photos = photos;
    // What was answered meanwhile is drawn at once; where nothing was, the first question to come says so.
    await this.#find().catch(() => {});
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
  /** Answers at a sheet: the answers are on the phone when this returns, and are sent in their turn, each once. */
  async answer(visit: string, inspection: string, answers: SheetSaid[], label: (said: SheetSaid) => string) {
    for (const said of answers) {
      const id = fresh(), place = placeOf(inspection, said), over = this.#own.get(place);
      const answer = { ...said, seen: this.standing(inspection, said)?.seq ?? 0, ...(over ? { over } : {}) };
      await kept.add({ id, visit, label: label(said), said: { inspection, answer }, body: { kind: 'sheet', device_at: deviceNow(), skew_before_ms: this.#skew } });
      this.#own.set(place, id);
    }
    this.queue = await kept.queue();
    void this.sync();
  }
  /** The answer of an item as the server last told it. */
  standing(inspection: string, { key, device_id }: { key: string; device_id: string }): SheetItem['answer'] {
    return this.sheets[inspection]?.items.find((item) => item.key === key && item.device_id === device_id)?.answer ?? null;
  }
  /** A sheet with what is still to be sent. */
  sheet(inspection: string): Sheet | undefined {
    const told = this.sheets[inspection];
    if (!told) return undefined;
    const mine = new Map(this.queue.flatMap((one) => (one.said?.inspection === inspection && !one.refused ? [[placeOf(inspection, one.said.answer), one] as const] : [])));
    const items = told.items.map((item) => {
      const waits = mine.get(placeOf(inspection, item));
      if (!waits) return item;
      const { answer, value = '', what = '', wanted = '', note = '' } = waits.said!.answer;
      return { ...item, answer: { answer, value, what, wanted, note, by: this.who?.name ?? '', at: waits.body.device_at ?? 0, seq: item.answer?.seq ?? 0, proposed: item.proposed, ticket_number: null } };
    });
    return { ...told, items, open: items.filter((item) => !item.answer && !item.spare).length, bad: items.filter((item) => item.answer?.answer === 'bad').length };
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
    const id = Object.keys(body).length > 0 || one.said ? fresh() : one.id;
    // Whoever sends an answer again has seen what stands there now.
    const said = one.said && { ...one.said, answer: { ...one.said.answer, seen: this.standing(one.said.inspection, one.said.answer)?.seq ?? 0 } };
    if (said) this.#own.set(placeOf(said.inspection, said.answer), id);
    await kept.change({ ...rest, ...(said ? { said } : {}), id, body: { ...one.body, ...body } });
    this.queue = await kept.queue();
    void this.sync();
  }
  async throwAway(one: Waiting) {
    await kept.drop(one.place!);
    this.queue = await kept.queue();
  }

  /** Sends what waits, then asks for the visits; of several pages of this phone one at a time. */
  async sync() {
    if (this.#busy) { this.#more = true; return; }
    this.#busy = true;
    this.#more = false;
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
    // What was taken while this went on does not wait for the clock.
    if (this.#more && this.reached) await this.sync();
  }
  async #find() {
    if (session.me) return;
    const early = this.#early;
    this.#early = null;
    try {
      session.take(await (early?.me ?? api.me()));
      // What waits here was not told to the server when it was asked; then it is asked again, after that.
      const visits = await early?.visits;
      if (visits && this.queue.length === 0) this.#told(visits);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) session.me = null;
      throw error;
    }
    this.who = { id: session.me!.id, name: session.me!.name };
    await kept.keep('who', this.who);
  }
  #told(visits: Visit[]) {
    this.told = visits;
    this.toldAt = deviceNow();
  }
  async #ask() {
    this.#told((await visitsApi.mine()).items);
    const visits = this.told;
    await kept.keep('visits', { visits, at: this.toldAt });
    await this.#askSheets(visits);
    await this.#askBriefing(visits);
    if (!session.can('work_parts')) return;
    const [rows, kinds] = await Promise.all([stock.mine(), stock.kinds()]);
    await this.#tellVan(rows.items.flatMap((row) => kinds.items.filter((kind) => kind.id === row.kind_id).map((kind) => ({ ...row, kind }))));
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
    const sheets: Record<string, Sheet> = {};
    for (const { inspection_id } of visits) {
      if (!inspection_id) continue;
      try {
        sheets[inspection_id] = await inspections.sheet(inspection_id);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const known = this.sheets[inspection_id];
        if (known) sheets[inspection_id] = known;
      }
    }
    await this.#tellSheets(sheets);
  }
  async #tellSheets(sheets: Record<string, Sheet>) {
    this.sheets = sheets;
    await kept.keep('whole_sheets', sheets);
  }
  async #tellVan(van: Own[]) {
    this.van = van;
    await kept.keep('van', van);
  }
  async #tellVisit({ events: _, ...visit }: VisitStory) {
    this.told = this.told.map((one) => (one.id === visit.id ? visit : one));
    await kept.keep('visits', { visits: this.told, at: this.toldAt });
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
      // Steps do not wait for an answer at a sheet, nor such an answer for a step.
      if (one.refused && !one.said) stuck.add(one.visit);
      if (one.refused || (stuck.has(one.visit) && !one.said)) continue;
      try {
        // What proves a step goes before it.
        for (const photo of await kept.photos()) if (one.body.evidence?.some((piece) => piece.kind === 'photo' && piece.code === photo.id)) await this.#sendPhoto(photo);
        const { device_at, skew_before_ms } = one.body;
        // What was taken stands at once as the server tells it: without that, the page would show the step before until the next question.
        if (one.said) await this.#tellSheets({ ...this.sheets, [one.said.inspection]: await inspections.answer(one.said.inspection, [{ ...one.said.answer, id: one.id }]) });
        else if (one.part) {
          await stock.use(one.visit, one.id, { ...one.part, device_at, skew_before_ms, device_now: deviceNow() });
          await this.#tellVan(without(this.van, one.part));
        } else await this.#tellVisit(await visitsApi.step(one.visit, one.id, { ...one.body, device_now: deviceNow() }));
        await kept.drop(one.place!);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        await kept.change({ ...one, refused: { code: error.code, message: error.message, hint: error.hint } });
        if (!one.said) stuck.add(one.visit);
      }
      this.queue = await kept.queue();
    }
  }
}
/** The van after a part was used. */
function without(van: Own[], part: Use): Own[] {
  return van.flatMap((row) => {
    if (row.kind_id !== part.kind_id || row.owner_id !== part.owner_id) return [row];
    const left = { ...row, quantity: row.quantity - part.quantity, serials: row.serials.filter((one) => one !== part.serial) };
    return left.quantity > 0 ? [left] : [];
  });
}
const placeOf = (inspection: string, { key, device_id }: { key: string; device_id: string }) => `${inspection}/${key}/${device_id}`;
/** Whether the server has looked at it and will never take it as it is; anything else is tried again. */
const isRefusal = (error: unknown): error is ApiError => error instanceof ApiError && error.status !== 0 && error.status !== 401 && error.status !== 429 && error.status < 500;
export const outbox = new Outbox();
