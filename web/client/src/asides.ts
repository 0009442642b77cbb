// Work that was not taken, kept for its author until they let it go: over reloads where the browser keeps anything.
import * as Y from "yjs";
import type { Refusal } from "./protocol.ts";

/** Pieces of work that are kept apart; of more, the two oldest become one. */
const MOST_ASIDE = 20;

/** Work that was not taken, kept for its author to copy or to put back. */
export interface Aside {
  id: number;
  /** When, milliseconds since the Unix epoch. */
  at: number;
  reason: Refusal | "reset";
  message: string;
  /** The whole replica with the work in it, as one update. */
  update: Uint8Array;
}

/** Keeps work beyond the page. */
export interface AsideShelf {
  load(): Promise<Aside[]>;
  /** Replaces what is kept under the same id. */
  put(aside: Aside): Promise<void>;
  drop(id: number): Promise<void>;
  close(): void;
}

export class Asides {
  readonly #shelf: AsideShelf | undefined;
  #all: readonly Aside[] = [];
  /** Let go while it was still being looked for. */
  readonly #gone = new Set<number>();

  constructor(shelf: AsideShelf | undefined) {
    this.#shelf = shelf;
  }

  get all(): readonly Aside[] {
    return this.#all;
  }

  /** Takes up what an earlier page kept. */
  async load(): Promise<void> {
    const kept = (await this.#shelf?.load()) ?? [];
    const known = new Set(this.#all.map(({ id }) => id));
    const news = kept.filter(({ id }) => !known.has(id) && !this.#gone.has(id));
    this.#all = [...news, ...this.#all].sort((a, b) => a.at - b.at);
  }

  /** An id that no other work has, also of another tab. */
  newId(random: number): number {
    let id = Math.floor(random * Number.MAX_SAFE_INTEGER);
    while (this.#all.some((aside) => aside.id === id) || this.#gone.has(id)) id = (id + 1) % Number.MAX_SAFE_INTEGER;
    return id;
  }

  /** Keeps work; fulfilled when it is where a reload finds it. */
  async put(aside: Aside): Promise<void> {
    this.#all = [...this.#all, aside];
    const [first, second] = this.#all;
    const saved = this.#shelf?.put(aside);
    if (first && second && this.#all.length > MOST_ASIDE) {
      const one = { ...second, update: Y.mergeUpdates([first.update, second.update]) };
      this.#all = [one, ...this.#all.slice(2)];
      await this.#shelf?.put(one);
      await this.#shelf?.drop(first.id);
    }
    await saved;
  }

  drop(aside: number): void {
    this.#all = this.#all.filter(({ id }) => id !== aside);
    this.#gone.add(aside);
    void this.#shelf?.drop(aside);
  }

  close(): void {
    this.#shelf?.close();
  }
}
