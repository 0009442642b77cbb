import type { Ring } from "./options.ts";
import type { RoomId, Seq, UserId } from "./protocol.ts";

/** A person answers one call at a time. */
const MOST_RINGS = 8;

/** Who calls now: one ring per room, the newest last. */
export class Rings {
  readonly #changed: (rings: readonly Ring[]) => void;
  #now: readonly Ring[] = [];
  /** The last rings, also when they are over: who called is not said again when they end. */
  #last: readonly Ring[] = [];

  constructor(changed: (rings: readonly Ring[]) => void) {
    this.#changed = changed;
  }

  /** The same array until something changes. */
  get now(): readonly Ring[] {
    return this.#now;
  }

  add(ring: Ring): void {
    this.#now = [...this.#now.filter(({ room }) => room !== ring.room), ring].slice(-MOST_RINGS);
    this.#last = [...this.#last.filter(({ room }) => room !== ring.room), ring].slice(-MOST_RINGS);
    this.#changed(this.#now);
  }

  /** Tells who called. Another call of the same room goes on ringing. */
  end(room: RoomId, call: Seq): UserId | undefined {
    const isIt = (ring: Ring) => ring.room === room && ring.call === call;
    if (this.#now.some(isIt)) {
      this.#now = this.#now.filter((ring) => !isIt(ring));
      this.#changed(this.#now);
    }
    return this.#last.find(isIt)?.from;
  }

  /** Ends all, and tells nobody. */
  forget(): void {
    this.#now = [];
    this.#last = [];
  }
}
