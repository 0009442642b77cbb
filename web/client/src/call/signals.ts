// The numbers of one link's signals, both ways: said until confirmed, handled once and in order. Pure but for the clock.
import type { Clock } from "../clock.ts";
import type { Signal } from "../protocol.ts";

/** Most that may be unconfirmed (the server's bound); further ones wait here. */
const WINDOW = 128;
/** What is not confirmed by then is said again. */
export const AGAIN_MS = 2_000;

interface Said {
  n: number;
  signal: Signal;
  /** When it was last said; never, while the connection is away. */
  at: number | undefined;
}

/** What one end says in one life of a link. */
export class Sayings {
  readonly #clock: Clock;
  #waiting: Said[] = [];
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Numbers a signal; the number names an offer to its answer. */
  add(signal: Signal): number {
    this.#last += 1;
    this.#waiting.push({ n: this.#last, signal, at: undefined });
    return this.#last;
  }

  /** The other end has handled everything up to `n`. */
  confirmed(n: number): void {
    this.#waiting = this.#waiting.filter((said) => said.n > n);
  }

  /** What has to be said now, oldest first: what is new, or everything when the oldest has waited too long. */
  due(): { n: number; signal: Signal }[] {
    const now = this.#clock.now();
    const window = this.#waiting.slice(0, WINDOW);
    const oldest = window[0]?.at;
    const isLate = oldest !== undefined && now - oldest >= AGAIN_MS;
    const due = window.filter((said) => isLate || said.at === undefined);
    for (const said of due) said.at = now;
    return due;
  }

  /** Whatever was said may not have arrived: the connection is a new one, or the server was busy. */
  again(): void {
    for (const said of this.#waiting) said.at = undefined;
  }

  get isSettled(): boolean {
    return this.#waiting.length === 0;
  }
}

/** What one end hears in one life of a link. */
export class Hearings {
  #taken = 0;
  #handled = 0;

  /** Whether a signal is the next one; it is to be handled then, after those before it. */
  take(n: number): boolean {
    if (n !== this.#taken + 1) return false;
    this.#taken = n;
    return true;
  }

  /** A signal was handled, which includes being passed over for good. */
  done(n: number): void {
    this.#handled = Math.max(this.#handled, n);
  }

  /** What is to be confirmed; 0 is nothing. */
  get handled(): number {
    return this.#handled;
  }
}
