import { updated } from "./fold.ts";
import type { Member, Presence, RoomEvent, UserId } from "./protocol.ts";

/** A room's members, and who of them is there. */
export class People {
  #count = 0;
  #members: readonly Member[] = [];
  #online = 0;
  #presence: ReadonlyMap<UserId, Presence> = new Map();

  get count(): number {
    return this.#count;
  }

  /** Empty in a room too large to list them. */
  get members(): readonly Member[] {
    return this.#members;
  }

  get online(): number {
    return this.#online;
  }

  get presence(): ReadonlyMap<UserId, Presence> {
    return this.#presence;
  }

  list(count: number, members: readonly Member[]): void {
    this.#count = count;
    this.#members = members;
  }

  /** Everybody who is there, as an answer has it. */
  open(online: number, all: readonly Presence[]): void {
    this.#online = online;
    this.#presence = new Map(all.map((presence) => [presence.user, presence]));
  }

  present(online: number, changed: readonly Presence[]): void {
    this.#online = online;
    if (changed.length === 0) return;
    const presence = new Map(this.#presence);
    for (const each of changed) presence.set(each.user, each);
    this.#presence = presence;
  }

  apply(event: RoomEvent): void {
    switch (event.type) {
      case "member.joined":
        return this.#joined(event);
      case "member.left":
        this.#count -= 1;
        this.#members = this.#members.filter((member) => member.user !== event.user);
        return;
      case "member.updated":
        this.#members = this.#members.map((member) => (member.user === event.user ? updated(member, event) : member));
        return;
      default:
        return;
    }
  }

  forget(): void {
    this.list(0, []);
    this.open(0, []);
  }

  #joined({ user, role, capabilities, data, seq, at }: RoomEvent & { type: "member.joined" }): void {
    const isComplete = this.#members.length === this.#count;
    this.#count += 1;
    // Larger rooms do not list their members; half a list would look like a whole one.
    if (isComplete) {
      this.#members = [...this.#members, { user, role, capabilities, data, joined_seq: seq, joined_at: at }];
    }
  }
}
