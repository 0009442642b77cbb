/** Events by name. A listener that throws does not keep the others from hearing. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #due = new Set<keyof Events>();

  /** Listens; the function that is returned stops it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  protected emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        report(error);
      }
    }
  }

  /**
   * Tells once, after everything that happens now: a thousand events that were caught up with are one change.
   * `undefined` is not told.
   */
  protected emitSoon<Name extends keyof Events>(name: Name, event: () => Events[Name] | undefined): void {
    if (this.#due.has(name)) return;
    this.#due.add(name);
    queueMicrotask(() => {
      this.#due.delete(name);
      const now = event();
      if (now !== undefined) this.emit(name, now);
    });
  }

  protected silence(): void {
    this.#listeners.clear();
  }
}

/** Tells an uncaught error, where developers look, without ending what the client was doing. */
function report(error: unknown): void {
  if (typeof globalThis.reportError === "function") return globalThis.reportError(error);
  queueMicrotask(() => {
    throw error;
  });
}
