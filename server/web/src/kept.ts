// What this phone keeps by itself: the steps that are still to be sent, in their order, the photos that are, and the last
// answers of the server.
// A transaction is awaited before anything is called done, so a page that is closed or killed has lost nothing.
import type { SheetSaid } from './inspections';
import type { Use } from './stock';
import type { StepBody } from './visits';

export type Waiting = {
  /** The place in the queue, made by the database. */
  place?: number;
  /** The step's own id: sent again and again, it counts once. */
  id: string; visit: string; body: StepBody; label: string;
  /** A part that was used, instead of a step. */
  part?: Use;
  /** An answer at the sheet of an inspection, instead of a step. */
  said?: { inspection: string; answer: SheetSaid };
  /** What the server said instead of taking it; a person decides. */
  refused?: { code: string; message: string; hint: string | null };
};

/** A photo that is still to be sent. */
export type WaitingPhoto = {
  /** Its own id: sent again and again, it is kept once. */
  id: string; visit: string; bytes: ArrayBuffer; device_at: number; skew_before_ms: number | null;
  /** The item of a sheet that it shows. */
  item?: string; device_id?: string;
  refused?: Waiting['refused'];
};

const open = new Promise<IDBDatabase>((done, fail) => {
  const request = indexedDB.open('sitewarden-tech', 2);
  request.onupgradeneeded = ({ oldVersion }) => {
    if (oldVersion < 1) {
      request.result.createObjectStore('queue', { keyPath: 'place', autoIncrement: true });
      request.result.createObjectStore('answer');
    }
    request.result.createObjectStore('photo', { keyPath: 'id' });
  };
  request.onsuccess = () => {
    // A newer page of the same phone must not wait for this one.
    request.result.onversionchange = () => request.result.close();
    done(request.result);
  };
  request.onerror = () => fail(request.error ?? new Error('the phone keeps nothing'));
});

async function work<R>(store: 'queue' | 'answer' | 'photo', mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest): Promise<R> {
  const tx = (await open).transaction(store, mode, mode === 'readwrite' ? { durability: 'strict' } : {});
  const request = act(tx.objectStore(store));
  return new Promise<R>((done, fail) => {
    tx.oncomplete = () => done(request.result as R);
    tx.onerror = tx.onabort = () => fail(tx.error ?? new Error('the phone could not keep it'));
  });
}

/** Everything that the phone keeps: the answers by their keys, and what is still to be sent. */
async function whole() {
  const tx = (await open).transaction(['queue', 'answer', 'photo'], 'readonly');
  const answer = tx.objectStore('answer'), keys = answer.getAllKeys(), values = answer.getAll();
  const queue: IDBRequest<Waiting[]> = tx.objectStore('queue').getAll(), photos: IDBRequest<WaitingPhoto[]> = tx.objectStore('photo').getAll();
  await new Promise<void>((done, fail) => {
    tx.oncomplete = () => done();
    tx.onerror = tx.onabort = () => fail(tx.error ?? new Error('the phone could not read it'));
  });
  return { answers: new Map(keys.result.map((key, at) => [String(key), values.result[at] as unknown])), queue: queue.result, photos: photos.result };
}
/** As it stood when the page began. */
export const atStart = whole();
atStart.catch(() => {}); // whoever awaits it says so

export const kept = {
  queue: () => work<Waiting[]>('queue', 'readonly', (store) => store.getAll()),
  add: (one: Waiting) => work<number>('queue', 'readwrite', (store) => store.add(one)),
  change: (one: Waiting) => work<void>('queue', 'readwrite', (store) => store.put(one)),
  drop: (place: number) => work<void>('queue', 'readwrite', (store) => store.delete(place)),
  photos: () => work<WaitingPhoto[]>('photo', 'readonly', (store) => store.getAll()),
  keepPhoto: (one: WaitingPhoto) => work<void>('photo', 'readwrite', (store) => store.put(one)),
  dropPhoto: (id: string) => work<void>('photo', 'readwrite', (store) => store.delete(id)),
  keep: (key: string, value: unknown) => work<void>('answer', 'readwrite', (store) => store.put(value, key)),
};
