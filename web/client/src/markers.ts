// Up to where people have read a room.
import type { Timers } from "./clock.ts";
import { passes } from "./errors.ts";
import type { Outcome } from "./outbox.ts";
import type { ReadMarker, Seq, UserId } from "./protocol.ts";

/** Markers are for other people's eyes: one a second is plenty. */
const EVERY_MS = 1_000;
const AGAIN_MS = 1_000;

export interface MarkersHost {
  timers: Timers;
  me(): UserId | undefined;
  isAttached(): boolean;
  call(seq: Seq, done: (outcome: Outcome) => void): void;
}

export class Markers {
  /** The others'. */
  others: ReadonlyMap<UserId, Seq> = new Map();
  /** The reader's own. */
  own: Seq = 0;
  /** What the server knows of it. */
  #told: Seq = 0;
  readonly #host: MarkersHost;

  constructor(host: MarkersHost) {
    this.#host = host;
  }

  /** Whether the server knows less. */
  get isAhead(): boolean {
    return this.own > this.#told;
  }

  /** The reader has read so far; `false` when that is known. */
  move(seq: Seq): boolean {
    if (seq <= this.own) return false;
    this.own = seq;
    this.tell();
    return true;
  }

  /** What the server says. */
  hear(markers: readonly ReadMarker[]): void {
    const me = this.#host.me();
    const others = new Map(this.others);
    for (const { user, seq } of markers) {
      if (user === me) {
        this.#told = Math.max(this.#told, seq);
        this.own = Math.max(this.own, seq);
      } else others.set(user, Math.max(others.get(user) ?? 0, seq));
    }
    this.others = others;
  }

  /** On a new connection: what was told before may not have arrived. */
  doubt(): void {
    this.#told = 0;
  }

  /** With a snapshot the others' markers come anew; in a log that began anew places mean something else. */
  renew(isOther: boolean): void {
    this.others = new Map();
    if (isOther) this.own = 0;
  }

  forget(): void {
    this.renew(true);
    this.#told = 0;
  }

  tell(): void {
    const { timers, call, isAttached } = this.#host;
    if (!this.isAhead || !isAttached() || timers.has("read")) return;
    const seq = this.own;
    this.#told = seq;
    timers.set("read", EVERY_MS, () => this.tell());
    call(seq, (outcome) => {
      if (outcome === "lost" || "ack" in outcome || !passes(outcome.fault)) return;
      this.#told = Math.min(this.#told, seq - 1);
      timers.set("read", outcome.fault.retry_after_ms ?? AGAIN_MS, () => this.tell());
    });
  }
}
