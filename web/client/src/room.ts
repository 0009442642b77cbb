import { isDirected, isRetained, RunningCall } from "./call/fold.ts";
import type { Client } from "./client.ts";
import { Timers } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { ended, passes, StoaError } from "./errors.ts";
import { isNote } from "./fold.ts";
import { History, type HistoryHost } from "./history.ts";
import type { RoomHost } from "./host.ts";
import { Markers } from "./markers.ts";
import type { Durable, Entry } from "./outbox.ts";
import { People } from "./people.ts";
import type {
  AccessView,
  CallNow,
  ChatSend,
  Cursor,
  Data,
  Fault,
  Key,
  Opened,
  RoomEvent,
  RoomId,
  RoomInfo,
  Seq,
  ServerFrame,
  SessionId,
  Snapshot,
  UserId,
} from "./protocol.ts";
import { Thread } from "./thread.ts";
import { Typing } from "./typing.ts";
import { type PendingMessage, pending, type RoomEvents, type RoomState, type SendOptions } from "./view.ts";

const PAGE = 50;
/** Messages that a room keeps while it is closed. */
const KEPT = 200;
const AGAIN_MS = 1_000;
/** How far a device's clock is trusted to be from the server's. */
const CLOCKS_APART_MS = 60_000;
/** What happened to members and the record, as far as it is kept. */
const NOTES = 100;
/** Gaps in a row before the cursor is given up for a snapshot. */
const MOST_GAPS = 3;

/** One room of one client. `open` attaches; from then on `state` follows the room through every reconnect. */
export class Room extends Emitter<RoomEvents> {
  readonly id: RoomId;
  readonly #host: RoomHost;
  readonly #timers: Timers;
  readonly #history: History;
  readonly #historyHost: HistoryHost;
  readonly #threads = new Set<Thread>();
  #state: RoomState | undefined;
  #isWanted = false;
  #phase: RoomState["phase"] = "closed";
  #fault: Fault | undefined;
  #isAttached = false;
  #isAttaching = false;
  /** Counts attempts to attach, and the ends of attachments. */
  #attempt = 0;
  #gaps = 0;
  #cursor: Cursor | undefined;
  #head: Seq = 0;
  #info: RoomInfo | undefined;
  #access: AccessView | undefined;
  #pending: readonly PendingMessage[] = [];
  /** What happened to the room and its members since it was opened. */
  #notes: readonly RoomEvent[] = [];
  #pins: readonly Seq[] = [];
  readonly #people = new People();
  readonly #typing: Typing;
  readonly #markers: Markers;
  readonly #call = new RunningCall();
  #opening: { resolve(): void; reject(error: StoaError): void }[] = [];

  /** @internal */
  constructor(id: RoomId, host: RoomHost) {
    super();
    this.id = id;
    this.#host = host;
    this.#timers = new Timers(host.clock);
    this.#markers = new Markers({
      timers: this.#timers,
      me: () => host.me(),
      isAttached: () => this.#isAttached,
      call: (seq, done) => host.call({ type: "chat.read", room: id, seq }, done),
    });
    this.#typing = new Typing(
      this.#timers,
      (on) => void host.tell({ type: "typing", room: id, on }),
      () => this.#changed(),
    );
    this.#historyHost = {
      ask: (page, thread, limit) => host.client.query({ type: "chat.history", room: id, ...page, thread, limit }),
      me: () => host.me(),
      lane: () => host.outbox.lane(id),
      threadOf: (seq) => [...this.#threads].find((thread) => thread.holds(seq))?.root,
      changed: () => this.#changed(),
    };
    this.#history = new History(this.#historyHost);
  }

  /** The room as it is now. The same object until something changes. */
  get state(): RoomState {
    this.#state ??= this.#build();
    return this.#state;
  }

  /** Whether the room is to be attached on every connection. @internal */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Attaches, now and after every reconnect. Fulfilled when the state is there, rejected when it is refused. */
  open(): Promise<void> {
    if (this.#host.isEnded()) return ended();
    const opened =
      this.#phase === "open" && this.#isAttached
        ? Promise.resolve()
        : new Promise<void>((resolve, reject) => this.#opening.push({ resolve, reject }));
    // The state says it too.
    opened.catch(() => {});
    this.#isWanted = true;
    if (this.#phase !== "open") this.#phase = "opening";
    this.#fault = undefined;
    this.#changed();
    if (!this.#isAttached) this.attach();
    return opened;
  }

  /** Detaches. The state stays for the next time, cut to the newest messages. */
  close(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    // What a timer would have told a moment later.
    if (this.#isAttached && this.#markers.isAhead) {
      this.#host.tell({ type: "chat.read", room: this.id, seq: this.#markers.own });
    }
    if (this.#isAttached || this.#isAttaching) this.#host.tell({ type: "room.close", room: this.id });
    this.detached();
    this.#history.keep(KEPT);
    this.#phase = "closed";
    this.#settleOpening(new StoaError({ code: "closed", message: "the room was closed" }));
    this.#host.closed(this);
    this.#changed();
  }

  /** Sends a message. It shows in `state.pending` until its event is there; `acked` tells its place. */
  send(text: string, options: SendOptions = {}): { key: Key; acked: Promise<Seq> } {
    this.typing(false);
    return this.#command({ type: "chat.send", text, ...options } as Partial<ChatSend> & { type: "chat.send" });
  }

  /** Sends a refused message again. */
  retry(key: Key): void {
    this.#host.outbox.retry(this.id, key, this.#host.newKey());
  }

  /** Drops a message that was refused or never sent; the answer is its text, or `undefined` when it may be there. */
  discard(key: Key): string | undefined {
    const entry = this.#host.outbox.discard(this.id, key);
    return entry?.frame.type === "chat.send" ? entry.frame.text : undefined;
  }

  edit(target: Seq, text: string, options: { mentions?: UserId[]; data?: Data } = {}): Promise<Seq> {
    return this.#command({ type: "chat.edit", target, text, ...options }).acked;
  }

  delete(target: Seq): Promise<Seq> {
    return this.#command({ type: "chat.delete", target }).acked;
  }

  react(target: Seq, emoji: string, on: boolean): Promise<Seq> {
    return this.#command({ type: "chat.react", target, emoji, on }).acked;
  }

  pin(target: Seq, on: boolean): Promise<Seq> {
    return this.#command({ type: "chat.pin", target, on }).acked;
  }

  /** Any durable command about this room: `member.add`, `room.update`, ... */
  command(frame: { type: Durable["type"] } & Record<string, unknown>): Promise<Seq> {
    return this.#command(frame).acked;
  }

  /** Tells that the user types; call it at every key stroke. `false` tells that they stopped. */
  typing(on = true): void {
    if (this.#isAttached) this.#typing.type(on);
  }

  /** Everything up to `seq` is read. Told at most once a second; it never goes back. */
  markRead(seq: Seq): void {
    if (!this.#markers.move(seq)) return;
    this.#host.readUpTo(this.id, seq);
    this.#changed();
  }

  /** Gets a page of older messages; the answer tells whether there are more. */
  loadOlder(limit = PAGE): Promise<boolean> {
    return this.#history.older(limit);
  }

  /** Gets a page of newer messages, where the state is not at the newest; the answer tells whether there are more. */
  loadNewer(limit = PAGE): Promise<boolean> {
    return this.#history.newer(limit);
  }

  /**
   * Shows the messages around a place: from then on `state.messages` are those, until scrolling has reached the newest
   * or `toNewest` is called. `false` when there is no such message outside threads.
   */
  goTo(seq: Seq, limit = PAGE): Promise<boolean> {
    return this.#history.goTo(seq, limit);
  }

  /** Shows the newest messages again. */
  toNewest(): void {
    this.#history.toNewest();
  }

  /** Asks for one message that is quoted or pinned; it comes in `state.beside`, or not when it cannot be read. */
  look(seq: Seq, thread?: Seq): void {
    void this.#history.look(seq, thread);
  }

  /** A thread, to be followed until it is closed. */
  thread(root: Seq): Thread {
    return new Thread(root, this.#historyHost, this.#threads);
  }

  // What follows is for the client and for calls.

  get client(): Client {
    return this.#host.client;
  }

  get host(): RoomHost {
    return this.#host;
  }

  /** Whether commands may go: events of the time before come first, so that own ones are recognised. @internal */
  get isReady(): boolean {
    return !this.#isWanted || this.#isAttached || this.#phase === "refused";
  }

  /** @internal */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** @internal */
  isApplied(seq: Seq): boolean {
    return !this.#isAttached || (this.#cursor !== undefined && seq <= this.#cursor.seq);
  }

  /** @internal */
  get isCaughtUp(): boolean {
    if (!this.#isWanted) return true;
    return this.#isAttached && !this.#isAttaching && (this.#cursor?.seq ?? 0) >= this.#head;
  }

  /** @internal */
  attach(): void {
    if (!this.#isWanted || this.#isAttaching || !this.#host.isOpen()) return;
    this.#isAttaching = true;
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#changed();
    const since = this.#gaps < MOST_GAPS ? this.#cursor : undefined;
    this.#host.call({ type: "room.open", room: this.id, since }, (outcome) => {
      // The room was closed and opened again meanwhile: the answer to that counts.
      if (attempt !== this.#attempt) return;
      this.#isAttaching = false;
      if (outcome === "lost" || !this.#isWanted) return;
      if ("ack" in outcome) {
        if (outcome.ack.result?.kind === "opened") this.#opened(outcome.ack.result);
        return;
      }
      const { fault } = outcome;
      if (passes(fault)) this.#timers.set("attach", fault.retry_after_ms ?? AGAIN_MS, () => this.attach());
      else this.#refuse(fault);
    });
  }

  /** The connection is gone, or the room was left: nothing that passes is true any more. @internal */
  detached(): void {
    this.#timers.end();
    this.#attempt += 1;
    if (this.#isAttached) this.#host.detached(this.id);
    this.#isAttached = false;
    this.#isAttaching = false;
    this.#typing.clear();
    this.#changed();
  }

  /** Gives up what a closed room keeps. @internal */
  forget(): void {
    this.#history.replace([], false);
    this.#notes = [];
    this.#cursor = undefined;
    this.#info = undefined;
    this.#access = undefined;
    this.#pins = [];
    this.#people.forget();
    this.#markers.forget();
    this.#call.forget();
    this.#head = 0;
    this.#gaps = 0;
    this.#changed();
  }

  /** @internal */
  end(): void {
    this.close();
    this.#timers.end();
    this.silence();
  }

  /** @internal */
  hear(frame: ServerFrame & { room: RoomId }): void {
    if (!this.#isWanted) return;
    if (isDirected(frame)) return this.emit("signal", frame);
    if (isRetained(frame)) {
      this.#call.hear(frame);
      return this.#changed();
    }
    switch (frame.type) {
      case "skip":
        this.#skip(frame.seq);
        break;
      case "room.reset":
        this.#opened(frame);
        break;
      case "room.closed":
        this.#refuse(frame.reason);
        break;
      case "room.access":
        this.#access = frame.access;
        break;
      case "typing":
        this.#typing.hear(frame.users, frame.count, this.#host.me());
        break;
      case "presence":
        this.#people.present(frame.online, frame.changed ?? []);
        break;
      case "read":
        this.#markers.hear(frame.markers);
        break;
      case "app.passing":
        this.emit("app", { from: frame.from, name: frame.name, data: frame.data });
        return;
      default:
        if ("seq" in frame && "at" in frame) this.#event(frame);
        return;
    }
    this.#changed();
  }

  /** The whole call as an answer has it; older events change it no more. */
  takeCall(call: CallNow | undefined, seq: Seq = this.#cursor?.seq ?? 0): void {
    this.#call.take(call, seq);
    this.#changed();
  }

  /** Whether a participant of the call has no connection to the server; media of theirs may come all the same. */
  isAway(session: SessionId): boolean {
    return this.#call.isAway(session);
  }

  /** Something outside of the room's own log changed what is shown: an entry of the outbox. @internal */
  touched(): void {
    this.#changed();
  }

  /** @internal */
  refused(entry: Entry): void {
    if (entry.fault) this.emit("refused", { command: entry.frame, fault: entry.fault });
  }

  #command(frame: { type: Durable["type"] } & Record<string, unknown>): { key: Key; acked: Promise<Seq> } {
    return this.#host.outbox.add({ ...frame, room: this.id, key: this.#host.newKey() } as unknown as Durable);
  }

  #opened(opened: Opened): void {
    const { snapshot } = opened;
    const ours = this.#cursor?.epoch === opened.epoch ? this.#cursor.seq : undefined;
    if (!snapshot && (ours === undefined || opened.seq > ours)) {
      // Taking it up would leave out what lies between: ask for everything.
      this.#cursor = undefined;
      return this.attach();
    }
    this.#markers.doubt();
    if (snapshot) this.#replace(opened, snapshot);
    else {
      this.#people.open(opened.online ?? 0, opened.presence ?? []);
      this.#pins = opened.pins ?? [];
      this.#markers.hear(opened.read ?? []);
    }
    this.#head = opened.head;
    this.#call.doubt();
    this.takeCall(snapshot ? snapshot.call : opened.call, opened.head);
    this.#access = opened.access;
    this.#typing.clear();
    this.#phase = "open";
    this.#isAttached = true;
    this.#markers.tell();
    this.#settleOpening();
    this.#host.outbox.reached(this.id, this.#cursor?.seq ?? 0);
    this.#changed();
    this.#host.outbox.flush(this.id);
    this.#host.attached(this.id);
  }

  #replace(opened: Opened, snapshot: Snapshot): void {
    const known = this.#cursor?.epoch === opened.epoch ? this.#cursor.seq : undefined;
    this.#claimOwn(snapshot, known);
    // In a log that began anew, places mean something else.
    if (this.#cursor && this.#cursor.epoch !== opened.epoch) {
      this.#markers.renew(true);
      this.#host.renewed(this.id);
      // What was committed in the log of before is shown by the new one, or is gone with it.
      this.#host.outbox.reached(this.id, Number.POSITIVE_INFINITY);
    }
    this.#cursor = { epoch: opened.epoch, seq: opened.seq };
    this.#gaps = 0;
    this.#host.learn(snapshot.profiles);
    this.#history.replace(snapshot.messages, snapshot.more);
    this.#notes = [];
    for (const thread of this.#threads) void thread.load();
    this.#info = snapshot.info;
    this.#pins = snapshot.pins ?? [];
    this.#people.list(snapshot.member_count, snapshot.members ?? []);
    this.#people.open(snapshot.online, snapshot.presence ?? []);
    this.#markers.renew(false);
    this.#markers.hear(snapshot.read ?? []);
  }

  /** What was sent and not answered may be in a snapshot: above the cursor, or, without one, by its time. */
  #claimOwn(snapshot: Snapshot, known: Seq | undefined): void {
    const me = this.#host.me();
    for (const message of snapshot.messages) {
      if (message.from !== me || message.seq <= (known ?? 0)) continue;
      this.#host.outbox.claim(message, known === undefined ? message.at + CLOCKS_APART_MS : undefined);
    }
  }

  #refuse(fault: Fault): void {
    this.#isWanted = false;
    this.detached();
    // What the user may no longer see is not kept.
    this.forget();
    this.#phase = "refused";
    this.#fault = fault;
    this.#settleOpening(new StoaError(fault));
    this.#changed();
    this.#host.outbox.flush(this.id);
  }

  #settleOpening(error?: StoaError): void {
    const waiting = this.#opening;
    this.#opening = [];
    for (const { resolve, reject } of waiting) {
      if (error) reject(error);
      else resolve();
    }
  }

  #skip(seq: Seq): void {
    // While the room is being opened everything above the cursor comes again, also what this would pass over.
    if (!this.#cursor || seq <= this.#cursor.seq || this.#isAttaching) return;
    this.#advance(seq);
  }

  #event(event: RoomEvent): void {
    if (!this.#cursor || event.seq <= this.#cursor.seq) return;
    if (event.seq > this.#cursor.seq + 1) {
      // While the room is being opened everything above the cursor comes again.
      if (this.#isAttaching) return;
      this.#gaps += 1;
      return this.attach();
    }
    this.#apply(event);
    this.#advance(event.seq);
    this.emit("event", event);
  }

  #advance(seq: Seq): void {
    if (!this.#cursor) return;
    this.#gaps = 0;
    this.#cursor = { epoch: this.#cursor.epoch, seq };
    this.#head = Math.max(this.#head, seq);
    this.#host.outbox.reached(this.id, seq);
    this.#changed();
  }

  #apply(event: RoomEvent): void {
    const me = this.#host.me();
    switch (event.type) {
      case "room.updated": {
        const { type: _1, room: _2, seq: _3, at: _4, from: _5, ...fields } = event;
        if (this.#info) this.#info = { ...this.#info, ...fields };
        break;
      }
      case "room.archived":
        if (this.#info) this.#info = { ...this.#info, archived: event.archived };
        break;
      case "chat.pinned":
        this.#pins = this.#pins.filter((seq) => seq !== event.target);
        if (event.on) this.#pins = [...this.#pins, event.target];
        break;
      case "chat.deleted":
        this.#pins = this.#pins.filter((seq) => seq !== event.target);
        break;
      case "chat.sent":
        if (event.from === me) this.#host.outbox.claim(event);
        this.#typing.stop(event.from);
        break;
      default:
        break;
    }
    this.#people.apply(event);
    this.#call.apply(event);
    this.#history.apply(event);
    for (const thread of this.#threads) thread.apply(event);
    if (isNote(event)) this.#notes = [...this.#notes.slice(1 - NOTES), event];
  }

  #changed(): void {
    this.#state = undefined;
    for (const thread of this.#threads) thread.touched();
    this.emitSoon("change", () => this.state);
    this.#host.changed(this);
  }

  /** The same array while nothing in it changes. */
  #pendingOf(lane: readonly Entry[]): readonly PendingMessage[] {
    const now = lane.flatMap(pending);
    const old = this.#pending;
    const isSame = (one: PendingMessage, other: PendingMessage | undefined) =>
      one.key === other?.key && one.status === other.status && one.fault === other.fault;
    if (now.length !== old.length || !now.every((each, index) => isSame(each, old[index]))) this.#pending = now;
    return this.#pending;
  }

  #build(): RoomState {
    const lane = this.#host.outbox.lane(this.id);
    const { stretch, messages, beside, live, view } = this.#history;
    return {
      room: this.id,
      phase: this.#phase,
      fault: this.#fault,
      catchingUp: !this.isCaughtUp,
      info: this.#info,
      access: this.#access,
      messages,
      pending: this.#pendingOf(lane),
      more: stretch.moreBefore,
      loadingOlder: stretch.loading === "before",
      moreAfter: stretch !== live,
      view,
      newest: live.timeline.newest ?? 0,
      beside,
      notes: this.#notes,
      pins: this.#pins,
      call: this.#call.now,
      memberCount: this.#people.count,
      members: this.#people.members,
      online: this.#people.online,
      presence: this.#people.presence,
      typing: this.#typing.now,
      read: this.#markers.others,
      readSeq: this.#markers.own,
      seq: this.#cursor?.seq ?? 0,
    };
  }
}
