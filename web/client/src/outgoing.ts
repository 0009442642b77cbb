// Edits on their way to the server.
//
// Invariant: numbers only grow, and what is on the line at once is bounded, so that a long time offline, sent again,
// does not hold up everything else on the connection.

/** Bytes that may be on the line before the server has saved some of them; one batch may always. */
const MOST_FLYING_BYTES = 1024 * 1024;

export interface Batch {
  number: number;
  update: Uint8Array;
  /** The user's edits that are saved with it. */
  edits: number;
}

export class Outgoing {
  #last = 0;
  #ready: Batch[] = [];
  #flying: Batch[] = [];
  #bytes = 0;

  /** Edits that are not saved yet. */
  get edits(): number {
    return [...this.#flying, ...this.#ready].reduce((sum, { edits }) => sum + edits, 0);
  }

  /** Adds an update in pieces: it is saved when its last piece is. */
  add(pieces: readonly Uint8Array[], edits: number): void {
    for (const [at, update] of pieces.entries()) {
      this.#last += 1;
      this.#ready.push({ number: this.#last, update, edits: at === pieces.length - 1 ? edits : 0 });
    }
  }

  /** What may be sent now; it counts as sent. `isLast`: nothing comes later, so that everything may. */
  next(isLast: boolean): Batch | undefined {
    const [batch] = this.#ready;
    const isFull = this.#flying.length > 0 && this.#bytes + (batch?.update.length ?? 0) > MOST_FLYING_BYTES;
    if (!batch || (isFull && !isLast)) return undefined;
    this.#ready.shift();
    this.#flying.push(batch);
    this.#bytes += batch.update.length;
    return batch;
  }

  /** Whether this batch was sent and not answered yet. */
  has(batch: number): boolean {
    return this.#flying.some(({ number }) => number === batch);
  }

  /** Everything up to this batch is saved. */
  saved(batch: number): void {
    this.#flying = this.#flying.filter(({ number }) => number > batch);
    this.#bytes = this.#flying.reduce((sum, { update }) => sum + update.length, 0);
  }

  /** Forgets everything; numbers go on. */
  clear(): void {
    this.#ready = [];
    this.#flying = [];
    this.#bytes = 0;
  }
}
