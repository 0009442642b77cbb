/** Time and chance, from outside so that tests own them. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  /** At least 0, below 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => globalThis.setTimeout(run, ms),
  clearTimeout: (handle) => globalThis.clearTimeout(handle as ReturnType<typeof globalThis.setTimeout>),
  random: () => Math.random(),
};

/** Browsers keep a delay in 31 bits and fire at once above (HTML, section 8.6). */
const LONGEST_MS = 2 ** 31 - 1;

/** The timers of one client: each has a name, setting it again replaces it, and one call ends them all. */
export class Timers {
  readonly #clock: Clock;
  readonly #running = new Map<string, unknown>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(name: string, ms: number, run: () => void): void {
    this.clear(name);
    const handle = this.#clock.setTimeout(
      () => {
        this.#running.delete(name);
        run();
      },
      Math.min(Math.max(ms, 0), LONGEST_MS),
    );
    this.#running.set(name, handle);
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  clear(name: string): void {
    const handle = this.#running.get(name);
    if (handle === undefined) return;
    this.#clock.clearTimeout(handle);
    this.#running.delete(name);
  }

  end(): void {
    for (const name of [...this.#running.keys()]) this.clear(name);
  }
}
