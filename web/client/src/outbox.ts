import { backoff } from "./backoff.ts";
import { type Clock, Timers } from "./clock.ts";
import { passes, StoaError } from "./errors.ts";
import type { Ack, ClientFrame, Fault, Key, Message, RoomId, Seq, UserId } from "./protocol.ts";
import { Shelf, type Store } from "./shelf.ts";

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
  /** How often it was refused for a while. */
  tries?: number;
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
/** Refusals that should not be, but may pass: a fault of the server, a token that ends just now. */
const MOST_ODD = 5;

/**
 * Durable commands on their way. Each room has a lane, and a lane has one command on its way at a time: what a person
 * said stays in order even when one of two was refused for a while. A command keeps its key until it is answered, so
 * sending it again after a lost connection or a reload cannot double it.
 */
export class Outbox {
  readonly #handler: OutboxHandler;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #shelf: Shelf | undefined;
  readonly #lanes = new Map<RoomId, Entry[]>();
  #user: UserId | undefined;
  /** Whether what was left behind is being looked for: it goes first. */
  #isLoading = false;
  #isEnded = false;

  /** `id` names this client among those that share the store. */
  constructor(handler: OutboxHandler, clock: Clock, store: Store | undefined, id: string) {
    this.#handler = handler;
    this.#clock = clock;
    this.#timers = new Timers(clock);
    this.#shelf =
      store &&
      new Shelf(store, id, {
        take: (text) => this.#take(text),
        loaded: () => {
          this.#isLoading = false;
          this.flush();
        },
      });
  }

  /** Whether what waits would survive a reload. */
  get isSaved(): boolean {
    return this.#shelf !== undefined && this.#user !== undefined && this.#shelf.isSaved;
  }

  /** Whose commands these are: what this user left behind is taken up, another's is put away. */
  own(user: UserId): void {
    if (this.#user === user) return;
    if (this.#user !== undefined) this.#putAway();
    this.#user = user;
    if (this.#shelf) {
      this.#isLoading = true;
      this.#shelf.open(user);
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
    const fault = this.#isEnded
      ? ({ code: "closed", message: "the client was closed" } as const)
      : this.#size() >= MOST
        ? ({ code: "overloaded", message: "too many commands are waiting" } as const)
        : undefined;
    if (fault) {
      entry.settle?.reject(new StoaError(fault));
      // Whoever sent words gets them back.
      if (fault.code !== "closed") this.#handler.refused({ ...entry, status: "failed", fault });
      return { key: frame.key, acked };
    }
    this.#lane(frame.room).push(entry);
    this.#changed(frame.room);
    this.flush(frame.room);
    return { key: frame.key, acked };
  }

  /**
   * Sends a refused command again. Its key stays, so that it cannot be doubled should it have been committed after all;
   * only when the key was used for something else it gets a new one.
   */
  retry(room: RoomId, key: Key, newKey: Key): void {
    const lane = this.#lane(room);
    const entry = lane.find((other) => other.frame.key === key && other.status === "failed");
    if (!entry) return;
    lane.splice(lane.indexOf(entry), 1);
    const isTaken = entry.fault?.code === "conflict";
    const frame = isTaken ? { ...entry.frame, key: newKey } : entry.frame;
    lane.push({ frame, at: this.#clock.now(), status: "waiting", tried: !isTaken && entry.tried });
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
    if (this.#isEnded || this.#isLoading || this.#timers.has(room) || !this.#handler.ready(room)) return;
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
    this.#isEnded = true;
    this.#timers.end();
    this.#putAway();
    this.#shelf?.end();
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
    else if (this.#mayPass(entry, outcome.fault)) {
      entry.status = "waiting";
      const wait = outcome.fault.retry_after_ms ?? 500 + backoff(entry.tries ?? 0, this.#clock.random());
      entry.tries = (entry.tries ?? 0) + 1;
      this.#timers.set(room, wait, () => this.flush(room));
    } else return this.#refused(entry, outcome.fault);
    this.#changed(room);
  }

  #mayPass(entry: Entry, fault: Fault): boolean {
    if (passes(fault)) return true;
    const isOdd = fault.code === "internal" || fault.code === "unauthorized";
    return isOdd && (entry.tries ?? 0) < MOST_ODD;
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

  #save(): void {
    if (!this.#shelf || this.#user === undefined) return;
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
    this.#shelf.save(kept.length === 0 ? undefined : JSON.stringify(kept));
  }

  /** What an earlier page left behind; what was said before it was found comes after it. */
  #take(text: string): void {
    for (const { frame, at, status, fault, tried } of parse(text)) {
      const lane = this.#lane(frame.room);
      if (lane.some((other) => other.frame.key === frame.key)) continue;
      const entry: Entry = { frame, at, status, fault, tried };
      const first = lane.findIndex((other) => other.at > at);
      lane.splice(first < 0 ? lane.length : first, 0, entry);
      this.#handler.changed(frame.room);
    }
    this.#save();
    this.flush();
  }
}

/** What was kept, as far as it can be understood: other versions, and other people, may have written there. */
function parse(text: string): Entry[] {
  try {
    const kept: unknown = JSON.parse(text);
    if (!Array.isArray(kept)) return [];
    return (kept as (Entry | null)[])
      .filter((entry) => typeof entry?.frame?.key === "string" && typeof entry.frame.room === "string")
      .map((entry) => ({ ...(entry as Entry), status: entry?.status === "failed" ? "failed" : "waiting" }));
  } catch {
    return [];
  }
}

function isOpen(entry: Entry): boolean {
  return entry.status === "waiting" || entry.status === "sending";
}
