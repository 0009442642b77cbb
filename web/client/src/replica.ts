// Replicas, and work that was not taken, kept in the browser's IndexedDB. A browser that gives none keeps nothing.
import { IndexeddbPersistence } from "y-indexeddb";
import type * as Y from "yjs";
import type { Aside, AsideShelf } from "./asides.ts";
import type { Replica } from "./document.ts";
import { ASIDES, answered, hold } from "./forget.ts";

/** A store that does not answer for so long is taken for none: the document is worth more than its copy. */
const PATIENCE_MS = 3_000;

/** For `DocumentOptions.replica`. */
export function indexedDbReplica(name: string, doc: Y.Doc): Replica {
  const kept = new IndexeddbPersistence(name, doc);
  const letGo = hold(name);
  let isThere = false;
  const synced = kept.whenSynced.then(
    () => {
      isThere = true;
    },
    () => {},
  );
  const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS));
  const quiet = (done: Promise<unknown>) =>
    done.then(
      () => {},
      () => {},
    );
  return {
    origin: kept,
    loaded: Promise.race([synced, late]),
    get: (key) => (isThere ? kept.get(key).catch(() => undefined) : Promise.resolve(undefined)),
    set: (key, value) => (isThere ? quiet(kept.set(key, value)) : Promise.resolve()),
    clear: () => (isThere ? quiet(kept.destroy().then(() => empty(name))) : Promise.resolve()).finally(letGo),
    close: () => quiet(kept.destroy()).finally(letGo),
  };
}

/** Empties a database and does not delete it: another tab of the user may have it open. */
async function empty(name: string): Promise<void> {
  const asked = indexedDB.open(name);
  // It was deleted meanwhile, and must not be made anew without what belongs in it.
  asked.onupgradeneeded = () => asked.transaction?.abort();
  const db = await answered(asked);
  const stores = [...db.objectStoreNames];
  const change = stores.length > 0 ? db.transaction(stores, "readwrite") : undefined;
  await Promise.all(stores.map((store) => change && answered(change.objectStore(store).clear())));
  db.close();
}

/** For `DocumentOptions.asides`. */
export function indexedDbAsides(name: string): AsideShelf {
  const database = `${name}:asides`;
  const letGo = hold(database);
  const opened = openDatabase(database);
  const run = async <T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>) => {
    const db = await opened;
    return db && answered(work(db.transaction(ASIDES, mode, { durability: "strict" }).objectStore(ASIDES)));
  };
  // What cannot be kept is in memory all the same.
  const quiet = (done: Promise<unknown>) =>
    done.then(
      () => {},
      () => {},
    );
  return {
    load: () =>
      run<Aside[]>("readonly", (store) => store.getAll()).then(
        (all) => all ?? [],
        () => [],
      ),
    put: (aside) => quiet(run("readwrite", (store) => store.put(aside))),
    drop: (id) => quiet(run("readwrite", (store) => store.delete(id))),
    close: () => void opened.then((db) => db?.close()).finally(letGo),
  };
}

async function openDatabase(name: string): Promise<IDBDatabase | undefined> {
  try {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => void asked.result.createObjectStore(ASIDES, { keyPath: "id" });
    const db = await answered(asked);
    db.onversionchange = () => db.close();
    return db;
  } catch {
    return undefined;
  }
}
