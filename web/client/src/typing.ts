// Who types in a room, and telling that oneself does.
import type { Timers } from "./clock.ts";
import type { UserId } from "./protocol.ts";

/** The server ends typing by itself after some seconds, so it is told anew while it lasts. */
const AGAIN_MS = 3_000;
const ENDS_MS = 5_000;
/** Typing is told when it changes: one that has not changed for so long has lost its end on the way. */
const STALE_MS = 60_000;

const NOBODY = { users: [], count: 0 } as const;

export class Typing {
  /** The others. */
  now: { users: readonly UserId[]; count: number } = NOBODY;
  readonly #timers: Timers;
  readonly #tell: (on: boolean) => void;
  readonly #changed: () => void;

  constructor(timers: Timers, tell: (on: boolean) => void, changed: () => void) {
    this.#timers = timers;
    this.#tell = tell;
    this.#changed = changed;
  }

  /** A key stroke of one's own, or their end. */
  type(on: boolean): void {
    if (!on) {
      if (this.#timers.has("typing")) this.#tell(false);
      this.#timers.clear("typing");
      this.#timers.clear("typing.again");
      return;
    }
    if (!this.#timers.has("typing.again")) {
      this.#tell(true);
      this.#timers.set("typing.again", AGAIN_MS, () => {});
    }
    this.#timers.set("typing", ENDS_MS, () => {
      this.#timers.clear("typing.again");
      this.#tell(false);
    });
  }

  hear(users: readonly UserId[], count: number, me: UserId | undefined): void {
    const others = users.filter((user) => user !== me);
    this.now = { users: others, count: count - (users.length - others.length) };
    if (others.length === 0) return this.#timers.clear("typing.stale");
    this.#timers.set("typing.stale", STALE_MS, () => {
      this.clear();
      this.#changed();
    });
  }

  /** Who has said something types no more. */
  stop(user: UserId | undefined): void {
    const users = this.now.users.filter((other) => other !== user);
    if (users.length < this.now.users.length) this.now = { users, count: this.now.count - 1 };
  }

  clear(): void {
    this.now = NOBODY;
  }
}
