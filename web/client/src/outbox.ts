import { type Clock, Timers } from "./clock.ts";
import { passes, StoaError } from "./errors.ts";
import type { Ack, ClientFrame, Fault, Key, Message, RoomId, Seq, UserId } from "./protocol.ts";

/** What `sessionStorage` does; anything with these three will do. */
export interface Store {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

type Without<Frame, Names extends string> = Frame extends unknown ? Omit<Frame, Names> : never;

/** A durable command: it has a key, and here always a room. */
export type Durable = Without<Extract<ClientFrame, { key: Key; room?: RoomId }>, "id"> & { room: RoomId; key: Key };

/** `waiting` is not sent yet, `sending` is on its way, `sent` is committed, `failed` was refused. */
export type EntryStatus = "waiting" | "sending" | "sent" | "failed";

export interface Entry {
  frame: Durable;
  /** When it was asked for, by this device's clock. */
  at: number;
  status: EntryStatus;
  fault?: Fault;
  /** Where it is in the room's log, once that is known. */
  seq?: Seq;
  /** Whether it may have reached the server before: then an event may be its own. */
  tried?: boolean;
  /** The event that looks like it; the acknowledgement decides. */
  claimed?: Seq;
  settle?: { resolve(seq: Seq): void; reject(error: StoaError): void };
}

export type Outcome = { ack: Ack } | { fault: Fault } | "lost";

export interface OutboxHandler {
  /** Whether commands for this room may go now. */
  ready(room: RoomId): boolean;
  call(frame: object, done: (outcome: Outcome) => void): void;
  /** Whether the event at this place is applied already, or is not awaited at all. */
  isApplied(room: RoomId, seq: Seq): boolean;
  changed(room: RoomId): void;
  refused(entry: Entry): void;
}

/** More would be a loop of the host application's, not a person who types while offline. */
const MOST = 1_000;
/** For refusals that pass but do not say when. */
const AGAIN_MS = 1_000;

/**
 * Durable commands on their way. Each room has a lane, and a lane has one command on its way at a time: what a person
 * said stays in order even when one of two was refused for a while. A command keeps its key until it is answered, so
 * sending it again after a lost connection or a reload cannot double it.
 */
export class Outbox {
  readonly #handler: OutboxHandler;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #store: Store | undefined;
  readonly #lanes = new Map<RoomId, Entry[]>();
  #user: UserId | undefined;

  constructor(handler: OutboxHandler, clock: Clock, store: Store | undefined) {
    this.#handler = handler;
    this.#clock = clock;
    this.#timers = new Timers(clock);
    this.#store = store;
  }

  /** Whose commands these are: what this user left behind is taken up, another's is put away. */
  own(user: UserId): void {
    if (this.#user === user) return;
    if (this.#user !== undefined) this.#putAway();
    this.#user = user;
    // What was said before the first welcome comes after what an earlier page left behind.
    for (const entry of this.#load()) {
      const lane = this.#lane(entry.frame.room);
      const first = lane.findIndex((other) => other.at > entry.at);
      lane.splice(first < 0 ? lane.length : first, 0, entry);
      this.#handler.changed(entry.frame.room);
    }
    this.#save();
  }

  /** What is in a room's lane, oldest first. */
  lane(room: RoomId): readonly Entry[] {
    return this.#lanes.get(room) ?? [];
  }

  /** Commands that are not committed and not refused. */
  get waiting(): number {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.filter(isOpen).length;
    return count;
  }

  add(frame: Durable): { key: Key; acked: Promise<Seq> } {
    const entry: Entry = { frame, at: this.#clock.now(), status: "waiting" };
    const acked = new Promise<Seq>((resolve, reject) => {
      entry.settle = { resolve, reject };
    });
    // Whoever does not wait for it sees the refusal in the room's state.
    acked.catch(() => {});
    if (this.#size() >= MOST) {
      entry.settle?.reject(new StoaError({ code: "overloaded", message: "too many commands are waiting" }));
      return { key: frame.key, acked };
    }
    this.#lane(frame.room).push(entry);
    this.#changed(frame.room);
    this.flush(frame.room);
    return { key: frame.key, acked };
  }

  /** Sends a refused command again, under a new key. */
  retry(room: RoomId, key: Key, newKey: Key): void {
    const lane = this.#lane(room);
    const entry = lane.find((other) => other.frame.key === key && other.status === "failed");
    if (!entry) return;
    lane.splice(lane.indexOf(entry), 1);
    lane.push({ frame: { ...entry.frame, key: newKey }, at: this.#clock.now(), status: "waiting" });
    this.#changed(room);
    this.flush(room);
  }

  /** Drops a command that was refused or never sent; one that may have arrived cannot be called back. */
  discard(room: RoomId, key: Key): Entry | undefined {
    const entry = this.lane(room).find((other) => other.frame.key === key);
    if (!entry || (entry.tried && entry.status !== "failed")) return undefined;
    this.#remove(entry);
    entry.settle?.reject(new StoaError({ code: "closed", message: "discarded" }));
    return entry;
  }

  flush(room?: RoomId): void {
    if (room === undefined) {
      for (const each of [...this.#lanes.keys()]) this.flush(each);
      return;
    }
    if (this.#timers.has(room) || !this.#handler.ready(room)) return;
    const lane = this.lane(room);
    const entry = lane.find(isOpen);
    if (!entry || entry.status === "sending") return;
    entry.status = "sending";
    entry.tried = true;
    // A crash from here on must know that an event may be this entry's own.
    this.#changed(room);
    this.#handler.call(entry.frame, (outcome) => this.#answered(entry, outcome));
  }

  /**
   * A message of this user's own is shown: the entry that it looks like is not shown beside it. `writtenBy` excludes
   * entries that were written after it, for messages of which only the time tells whether they are news.
   */
  claim(message: Pick<Message, "room" | "seq" | "text" | "reply_to">, writtenBy = Number.POSITIVE_INFINITY): void {
    const entry = this.lane(message.room).find(
      ({ frame, at, status, tried, claimed }) =>
        frame.type === "chat.send" &&
        tried &&
        status !== "failed" &&
        claimed === undefined &&
        at <= writtenBy &&
        frame.text === message.text &&
        frame.reply_to === message.reply_to,
    );
    if (entry) entry.claimed = message.seq;
  }

  /** The room's cursor moved: what is committed up to there is shown as events. */
  reached(room: RoomId, seq: Seq): void {
    const done = this.lane(room).filter((entry) => entry.status === "sent" && (entry.seq ?? 0) <= seq);
    for (const entry of done) this.#remove(entry);
  }

  end(): void {
    this.#timers.end();
    this.#putAway();
  }

  /** Forgets what is in memory; what is kept stays kept. */
  #putAway(): void {
    const lanes = [...this.#lanes];
    this.#lanes.clear();
    for (const [room, lane] of lanes) {
      for (const entry of lane)
        entry.settle?.reject(new StoaError({ code: "closed", message: "the client was closed" }));
      this.#handler.changed(room);
    }
  }

  #answered(entry: Entry, outcome: Outcome): void {
    const { room } = entry.frame;
    if (!this.lane(room).includes(entry)) return;
    if (outcome === "lost") entry.status = "waiting";
    else if ("ack" in outcome) return this.#acked(entry, outcome.ack);
    else if (passes(outcome.fault)) {
      entry.status = "waiting";
      this.#timers.set(room, outcome.fault.retry_after_ms ?? AGAIN_MS, () => this.flush(room));
    } else return this.#refused(entry, outcome.fault);
    this.#changed(room);
  }

  #acked(entry: Entry, ack: Ack): void {
    entry.status = "sent";
    entry.seq = ack.seq ?? 0;
    delete entry.claimed;
    entry.settle?.resolve(entry.seq);
    delete entry.settle;
    if (this.#handler.isApplied(entry.frame.room, entry.seq)) this.#remove(entry);
    else this.#changed(entry.frame.room);
    this.flush(entry.frame.room);
  }

  #refused(entry: Entry, fault: Fault): void {
    const { code, message, field, retry_after_ms } = fault;
    entry.status = "failed";
    entry.fault = { code, message, field, retry_after_ms };
    delete entry.claimed;
    entry.settle?.reject(new StoaError(fault));
    delete entry.settle;
    // Words wait for their author's decision; anything else is told and gone.
    if (entry.frame.type !== "chat.send") this.#remove(entry);
    else this.#changed(entry.frame.room);
    this.#handler.refused(entry);
    this.flush(entry.frame.room);
  }

  #lane(room: RoomId): Entry[] {
    const lane = this.#lanes.get(room) ?? [];
    this.#lanes.set(room, lane);
    return lane;
  }

  #size(): number {
    let size = 0;
    for (const lane of this.#lanes.values()) size += lane.length;
    return size;
  }

  #remove(entry: Entry): void {
    const lane = this.#lane(entry.frame.room);
    const at = lane.indexOf(entry);
    if (at >= 0) lane.splice(at, 1);
    if (lane.length === 0) this.#lanes.delete(entry.frame.room);
    this.#changed(entry.frame.room);
  }

  #changed(room: RoomId): void {
    this.#save();
    this.#handler.changed(room);
  }

  #name(): string | undefined {
    return this.#user === undefined ? undefined : `stoa.outbox:${this.#user}`;
  }

  #save(): void {
    const name = this.#name();
    if (!this.#store || !name) return;
    const kept = [...this.#lanes.values()]
      .flat()
      .filter((entry) => entry.status !== "sent")
      .map(({ frame, at, status, fault, tried }) => ({
        frame,
        at,
        status: status === "failed" ? status : "waiting",
        fault,
        tried,
      }));
    try {
      if (kept.length === 0) this.#store.removeItem(name);
      else this.#store.setItem(name, JSON.stringify(kept));
    } catch {
      // The store is full or forbidden: what waits is still in memory.
    }
  }

  #load(): Entry[] {
    const name = this.#name();
    if (!this.#store || !name) return [];
    try {
      const kept: unknown = JSON.parse(this.#store.getItem(name) ?? "[]");
      return Array.isArray(kept) ? (kept as Entry[]).filter((entry) => entry?.frame?.key && entry.frame.room) : [];
    } catch {
      return [];
    }
  }
}

function isOpen(entry: Entry): boolean {
  return entry.status === "waiting" || entry.status === "sending";
}
