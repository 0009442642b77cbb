// What a browser keeps of a user's documents: how it is named, who is using it, and how it is forgotten. Apart from what
// keeps it, so that a page can forget without loading Yjs.

/** A user's databases have names of their own, whatever characters the user's id has. */
export function replicaName(user: string, room: string, document: string): string {
  return `${prefixOf(user)}${room}:${document}`;
}

const prefixOf = (user: string) => `stoa:${encodeURIComponent(user)}:`;

/**
 * Removes everything that this browser keeps of a user's documents: when they log out of it. What another tab of theirs
 * has open stays; that tab needs it.
 */
export async function forgetReplicas(user: string): Promise<void> {
  await Promise.all((await databasesOf(user)).map(forget));
}

/** What of a user's documents is in this browser alone: edits that wait to be sent, and work that was not taken. */
export async function unsavedReplicas(user: string): Promise<number> {
  const counts = await Promise.all((await databasesOf(user)).map((name) => unsavedIn(name).catch(() => 0)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The objects in which replicas keep what they say of themselves, and their key; those that keep work not taken. */
const OWN = "custom";
export const WAITING = "waiting";
export const ASIDES = "asides";

async function databasesOf(user: string): Promise<string[]> {
  const kept = (await globalThis.indexedDB?.databases?.().catch(() => undefined)) ?? [];
  return kept.flatMap(({ name }) => (name?.startsWith(prefixOf(user)) ? [name] : []));
}

async function unsavedIn(name: string): Promise<number> {
  const asked = indexedDB.open(name);
  // It was deleted meanwhile.
  asked.onupgradeneeded = () => asked.transaction?.abort();
  const db = await answered(asked);
  const read = <T>(store: string, ask: (store: IDBObjectStore) => IDBRequest<T>) =>
    db.objectStoreNames.contains(store) ? answered(ask(db.transaction(store).objectStore(store))) : undefined;
  const waiting = await read(OWN, (store) => store.get(WAITING));
  const asides = await read(ASIDES, (store) => store.count());
  db.close();
  return (typeof waiting === "number" ? waiting : 0) + (asides ?? 0);
}

/** A database that is in use is waited for so long: this page's own documents are being closed. */
const CLOSING_MS = 2_000;

async function forget(name: string): Promise<void> {
  const remove = () => answered(indexedDB.deleteDatabase(name)).catch(() => {});
  const { locks } = navigator as { locks?: LockManager };
  if (!locks) return void (await remove());
  await locks.request(name, { signal: AbortSignal.timeout(CLOSING_MS) }, remove).catch(() => {});
}

/** Says that a database is in use, until the answer is called. */
export function hold(name: string): () => void {
  const { locks } = (globalThis.navigator ?? {}) as { locks?: LockManager };
  let letGo = () => {};
  const over = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  locks?.request(name, { mode: "shared" }, () => over).catch(() => {});
  return letGo;
}

export function answered<T>(asked: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error ?? new Error("the browser's database failed"));
  });
}
