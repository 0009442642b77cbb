import type { Ring } from "./options.ts";
import type { RoomId, Seq } from "./protocol.ts";

/** A person answers one call at a time. */
const MOST_RINGS = 8;

/** Who calls now: one ring per room, the newest last. */
export class Rings {
  readonly #changed: (rings: readonly Ring[]) => void;
  #now: readonly Ring[] = [];

  constructor(changed: (rings: readonly Ring[]) => void) {
    this.#changed = changed;
  }

  /** The same array until something changes. */
  get now(): readonly Ring[] {
    return this.#now;
  }

  add(ring: Ring): void {
    this.#now = [...this.#now.filter(({ room }) => room !== ring.room), ring].slice(-MOST_RINGS);
    this.#changed(this.#now);
  }

  /** Another call of the same room goes on ringing. */
  end(room: RoomId, call: Seq): void {
    const rings = this.#now.filter((ring) => ring.room !== room || ring.call !== call);
    if (rings.length === this.#now.length) return;
    this.#now = rings;
    this.#changed(rings);
  }

  /** Ends all, and tells nobody. */
  forget(): void {
    this.#now = [];
  }
}
