// Where commands that wait are kept over a reload. Each client writes to a box of its own, so two tabs of one user never
// write over each other; what a client left behind is taken up by the next one, once it is known that it is gone.
import type { UserId } from "./protocol.ts";

/**
 * What `sessionStorage` and `localStorage` do; anything with the first three will do, also when it answers with
 * promises, as React Native's stores do. A store that cannot list its names holds one box per user, so give it to one
 * client only.
 */
export interface Store {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): unknown;
  removeItem(name: string): unknown;
  readonly length?: number;
  key?(index: number): string | null;
}

/** The part of the Web Locks API that is used: a lock is held as long as its tab lives. */
interface Locks {
  request(name: string, options: object, run: (lock: unknown) => unknown): Promise<unknown>;
}

export interface ShelfHandler {
  /** What an earlier client left behind. */
  take(text: string): void;
  /** All that can be taken up at once has been. */
  loaded(): void;
}

export class Shelf {
  readonly #store: Store;
  readonly #handler: ShelfHandler;
  readonly #id: string;
  readonly #locks = (globalThis as { navigator?: { locks?: Locks } }).navigator?.locks;
  #end: AbortController | undefined;
  #name: string | undefined;
  #next: { text: string | undefined } | undefined;
  #isBusy = false;
  /** Whether the last writing succeeded. */
  isSaved = true;

  constructor(store: Store, id: string, handler: ShelfHandler) {
    this.#store = store;
    this.#id = id;
    this.#handler = handler;
  }

  /** Begins to keep this user's commands, and takes up what they left behind. */
  open(user: UserId): void {
    this.end();
    this.#next = undefined;
    this.#isBusy = false;
    const end = new AbortController();
    this.#end = end;
    const prefix = `stoa.outbox:${encodeURIComponent(user)}`;
    const names = this.#names(prefix);
    this.#name = names ? `${prefix}:${this.#id}` : prefix;
    if (!names) return this.#takeAlone(prefix, end.signal);
    if (this.#locks) this.#hold(this.#locks, this.#name, end.signal);
    const taken = names.map((name) => this.#takeFrom(name, end.signal));
    const waits = taken.filter((each) => each !== undefined);
    if (waits.length === 0) return this.#handler.loaded();
    void Promise.all(waits).then(() => {
      if (!end.signal.aborted) this.#handler.loaded();
    });
  }

  /** `undefined` is nothing to keep. */
  save(text: string | undefined): void {
    if (this.#name === undefined) return;
    this.#next = { text };
    // While a store that answers later reads or writes, only the newest waits.
    if (!this.#isBusy) this.#write(this.#name);
  }

  /** Gives the box up; what is in it stays for the next client. */
  end(): void {
    this.#end?.abort();
    this.#end = undefined;
    this.#name = undefined;
  }

  #write(name: string): void {
    const { text } = this.#next ?? {};
    this.#next = undefined;
    const written = (isSaved: boolean) => {
      this.isSaved = isSaved;
    };
    try {
      const answer = text === undefined ? this.#store.removeItem(name) : this.#store.setItem(name, text);
      if (!isLater(answer)) return written(true);
      this.#isBusy = true;
      answer
        .then(
          () => written(true),
          () => written(false),
        )
        .then(() => {
          this.#isBusy = false;
          if (this.#next) this.#write(name);
        });
    } catch {
      // The store is full or forbidden: what waits is still in memory.
      written(false);
    }
  }

  /** The boxes of this user, when the store can list them. */
  #names(prefix: string): string[] | undefined {
    try {
      const { length } = this.#store;
      if (length === undefined || !this.#store.key) return undefined;
      const names = Array.from({ length }, (_, index) => this.#store.key?.(index));
      return names.flatMap((name) => (name && (name === prefix || name.startsWith(`${prefix}:`)) ? [name] : []));
    } catch {
      return undefined;
    }
  }

  /** A store for one client: its box is this client's own. */
  #takeAlone(name: string, signal: AbortSignal): void {
    const found = (text: string | null) => {
      if (signal.aborted) return;
      this.#isBusy = false;
      if (text !== null) this.#handler.take(text);
      else if (this.#next) this.#write(name);
      this.#handler.loaded();
    };
    // What is there must not be written over before it was read.
    this.#isBusy = true;
    try {
      const text = this.#store.getItem(name);
      if (!isLater(text)) return found(text);
      text.then(found, () => found(null));
    } catch {
      found(null);
    }
  }

  /** Holding the lock of its name tells others that this client lives. */
  #hold(locks: Locks, name: string, signal: AbortSignal): void {
    const held = () => new Promise<void>((release) => signal.addEventListener("abort", () => release()));
    locks.request(name, {}, () => (signal.aborted ? undefined : held())).catch(() => {});
  }

  /** Takes a box up when its client is gone: now, or when that tab is closed. */
  #takeFrom(name: string, signal: AbortSignal): Promise<unknown> | undefined {
    const take = () => this.#move(name, signal);
    // Without locks nobody knows who lives. Two clients may then send the same commands, under the same keys.
    if (!this.#locks) return void take();
    const locks = this.#locks;
    const later = () => locks.request(name, { signal }, take).catch(() => {});
    return locks.request(name, { ifAvailable: true }, (lock) => (lock ? take() : void later())).catch(() => take());
  }

  #move(name: string, signal: AbortSignal): void {
    if (signal.aborted || name === this.#name) return;
    try {
      const text = this.#store.getItem(name);
      if (typeof text !== "string") return;
      this.#handler.take(text);
      // Only when it is kept in the new place.
      if (this.isSaved) this.#store.removeItem(name);
    } catch {
      // It cannot be read now; it stays.
    }
  }
}

function isLater<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof (answer as Promise<T> | undefined)?.then === "function";
}

/** The tab's own storage, where there is one and it is not forbidden (private windows, frames without storage). */
export function tabStore(): Store | undefined {
  try {
    const { document, sessionStorage } = globalThis as { document?: unknown; sessionStorage?: Store };
    return document === undefined ? undefined : sessionStorage;
  } catch {
    return undefined;
  }
}
