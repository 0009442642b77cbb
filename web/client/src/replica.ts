// Replicas kept in the browser's IndexedDB.
import { IndexeddbPersistence } from "y-indexeddb";
import type * as Y from "yjs";
import type { Replica } from "./document.ts";

/** A store that does not answer for so long is taken for none: the document is worth more than its copy. */
const PATIENCE_MS = 3_000;

/** For `DocumentOptions.replica`. A browser that gives no IndexedDB keeps nothing. */
export function indexedDbReplica(name: string, doc: Y.Doc): Replica {
  const kept = new IndexeddbPersistence(name, doc);
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
    clear: () => (isThere ? quiet(kept.clearData()) : Promise.resolve()),
    close: () => quiet(kept.destroy()),
  };
}

/** Removes every replica of a user from this browser: when they log out of it. */
export async function forgetReplicas(user: string): Promise<void> {
  const kept = (await indexedDB.databases?.()) ?? [];
  for (const { name } of kept) if (name?.startsWith(`stoa:${user}:`)) indexedDB.deleteDatabase(name);
}
