// A shared document: a Yjs document that stays the same as the server's, over every reconnect.
//
// Invariant: an edit of this user is in exactly one of three places until it is saved: waiting to be sent, on its way
// under a batch's number, or, when it was refused, put aside. Nothing is dropped without being told, and what is put
// aside is kept before the replica that holds it is given up.
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import * as Y from "yjs";
import { type Aside, type AsideShelf, Asides } from "./asides.ts";
import { backoff } from "./backoff.ts";
import type { Port } from "./channels.ts";
import type { Client } from "./client.ts";
import { type Clock, systemClock, Timers } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { StoaError } from "./errors.ts";
import { replicaName, WAITING } from "./forget.ts";
import { Outgoing } from "./outgoing.ts";
import type {
  DocumentFrame,
  DocumentInfo,
  DocumentOpened,
  DocumentVersion,
  Fault,
  Refusal as Reason,
  RoomId,
} from "./protocol.ts";
import { split } from "./split.ts";

/** Messages of the binary frames. */
const WIRE = { sync: 0, awareness: 1, queryAwareness: 3, edit: 100, part: 101 } as const;
const SYNC = { step1: 0, step2: 1, update: 2 } as const;

/** Edits are collected for this long: an update of many is smaller than many updates. */
const COLLECT_MS = 50;
/** Cursors are told this often at most. */
const AWARENESS_MS = 40;
/** Nothing that the server sends in parts is larger. */
const MOST_PARTS_BYTES = 256 * 1024 * 1024;
/** Bytes of one edit, for a server that takes more: what others send finds room between two of them. */
const PIECE_BYTES = 256 * 1024;
/** A server that failed is given the same work so often before it is put aside. */
const MOST_ATTEMPTS = 4;

/** Keeps a replica over a reload and over a time offline. */
export interface Replica {
  /** The origin of transactions that bring what was kept. */
  readonly origin: unknown;
  /** Fulfilled when what was kept is in the document. */
  readonly loaded: Promise<void>;
  get(name: string): Promise<unknown>;
  set(name: string, value: string | number): Promise<void>;
  /** Forgets everything and stops. */
  clear(): Promise<void>;
  /** Stops. */
  close(): Promise<void>;
}

export interface DocumentOptions {
  /** Begins to keep a document under a name; without it a replica lives as long as the page. */
  replica?: (name: string, doc: Y.Doc) => Replica;
  /** Keeps work that was not taken under a name; without it such work lives as long as the page. */
  asides?: (name: string) => AsideShelf;
  clock?: Clock;
}

export interface DocumentState {
  /** `opening`: what the server has is not here yet, though a kept replica may be. */
  phase: "opening" | "open" | "offline" | "refused" | "closed";
  /** Whether there is something to show: from the server, or kept from an earlier time. */
  hasContent: boolean;
  info?: DocumentInfo;
  mayEdit: boolean;
  /** Edits that are not saved yet. */
  waiting: number;
  /** How much of what the document may hold is used, percent; told from 80 on. */
  fill?: number;
  /** Why it is `refused`. */
  fault?: Fault;
  aside: readonly Aside[];
}

export interface DocumentEvents {
  change: DocumentState;
  /** The replica was built anew: `doc` and `awareness` are other ones now. */
  doc: Y.Doc;
  aside: Aside;
  saved: number;
}

/** Opens a document of a room; the room must be open, or be opened, on the client. */
export class SharedDocument extends Emitter<DocumentEvents> {
  readonly client: Client;
  readonly room: RoomId;
  readonly name: string;
  doc!: Y.Doc;
  awareness!: Awareness;
  readonly #options: DocumentOptions;
  readonly #timers: Timers;
  readonly #clock: Clock;
  #replica: Replica | undefined;
  /** Until what was kept of a replica that was given up is gone. */
  #cleared: Promise<unknown> = Promise.resolve();
  #port: Port | undefined;
  #phase: DocumentState["phase"] = "opening";
  #hasContent = false;
  #info: DocumentInfo | undefined;
  #mayEdit = false;
  #fault: Fault | undefined;
  #asides = new Asides(undefined);
  #fill: number | undefined;
  #epoch: string | undefined;
  /** Between the server's step 1 and the loss of the connection: edits may be sent. */
  #isSynced = false;
  #queue: Uint8Array[] = [];
  /** Edits that are neither in `#queue` nor on their way: made offline, or before a reload. */
  #unsent = 0;
  readonly #outgoing = new Outgoing();
  /** Refusals that pass, in a row. */
  #attempts = 0;
  #limit = 1024 * 1024;
  #awarenessLimit = 8 * 1024;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #state: DocumentState | undefined;

  constructor(client: Client, room: RoomId, name: string, options: DocumentOptions = {}) {
    super();
    this.client = client;
    this.room = room;
    this.name = name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#timers = new Timers(this.#clock);
    this.#build();
    void this.#begin();
  }

  get state(): DocumentState {
    this.#state ??= {
      phase: this.#phase,
      hasContent: this.#hasContent,
      info: this.#info,
      mayEdit: this.#mayEdit,
      waiting: this.#waiting,
      fill: this.#fill,
      fault: this.#fault,
      aside: this.#asides.all,
    };
    return this.#state;
  }

  /** Drops work that was put aside: its author has it, or does not want it. */
  forget(aside: number): void {
    this.#asides.drop(aside);
    this.#changed();
  }

  /** A page of versions, the newest first. */
  async versions(before?: number, limit = 50): Promise<{ versions: DocumentVersion[]; more: boolean }> {
    const reply = await this.client.query({
      type: "doc.versions",
      room: this.room,
      document: this.name,
      before,
      limit,
    });
    if (reply.kind !== "versions") throw unexpected();
    return { versions: reply.versions, more: reply.more };
  }

  /** Keeps what is saved now as a version. */
  async keep(title: string): Promise<DocumentVersion> {
    const reply = await this.client.once({ type: "doc.version.save", room: this.room, document: this.name, title });
    if (reply.kind !== "version") throw unexpected();
    return reply.version;
  }

  /** Sets the document back, by a new edit; the answer is what it was before. */
  async restore(version: number): Promise<DocumentVersion> {
    const reply = await this.client.once({ type: "doc.restore", room: this.room, document: this.name, version });
    if (reply.kind !== "version") throw unexpected();
    return reply.version;
  }

  /** Deletes a version: its keeper may, and who manages the room. */
  async deleteVersion(version: number): Promise<void> {
    await this.client.once({ type: "doc.version.delete", room: this.room, document: this.name, version });
  }

  /** A version as a document of its own, to look at. */
  async preview(version: number): Promise<Y.Doc> {
    const path = `v1/rooms/${this.room}/documents/${this.name}/versions/${version}/content`;
    const response = await this.client.fetch(path);
    if (!response.ok) throw new StoaError({ code: "not_found", message: `the server answered ${response.status}` });
    const doc = new Y.Doc();
    Y.applyUpdate(doc, new Uint8Array(await response.arrayBuffer()));
    return doc;
  }

  /** Tries again after a refusal. */
  retry(): void {
    this.#fault = undefined;
    this.#phase = "opening";
    this.#port?.retry();
    this.#changed();
  }

  close(): void {
    this.#flush();
    this.#pump(true);
    this.#phase = "closed";
    this.#timers.end();
    this.#port?.close();
    this.awareness.destroy();
    void this.#replica?.close();
    this.#asides.close();
    this.doc.off("update", this.#edited);
    this.silence();
  }

  get #isClosed(): boolean {
    return this.#phase === "closed";
  }

  get #waiting(): number {
    return this.#outgoing.edits + this.#queue.length + this.#unsent;
  }

  #build(): void {
    this.doc = new Y.Doc();
    this.doc.on("update", this.#edited);
    this.awareness = new Awareness(this.doc);
    this.awareness.on("update", this.#moved);
  }

  async #begin(): Promise<void> {
    // What is kept belongs to somebody: who this is may be known only when the server has told.
    if (this.#options.replica || this.#options.asides) await this.#known();
    if (this.#isClosed) return;
    if (this.#options.asides) {
      this.#asides = new Asides(this.#options.asides(this.#key));
      void this.#asides.load().then(() => this.#changed());
    }
    await this.#load();
    if (this.#isClosed) return;
    this.#port = this.client.port(this.room, this.name, {
      opened: (opened) => this.#opened(opened),
      frame: (frame) => this.#hear(frame),
      message: (data) => this.#message(data),
      lost: () => this.#lost(),
      refused: (fault) => {
        this.#fault = fault;
        this.#phase = "refused";
        this.#mayEdit = false;
        this.#changed();
      },
    });
    // A room that is open already tells nothing.
    this.#port.retry();
  }

  #known(): Promise<void> {
    const { client } = this;
    if (client.state.user !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = client.on("change", ({ user }) => {
        if (user === undefined) return;
        stop();
        resolve();
      });
    });
  }

  get #key(): string {
    return replicaName(this.client.state.user ?? "", this.room, this.name);
  }

  async #load(): Promise<void> {
    if (!this.#options.replica) return;
    const { doc } = this;
    // It may bring what it kept at once, before anybody knows its origin.
    doc.off("update", this.#edited);
    const replica = this.#options.replica(this.#key, doc);
    this.#replica = replica;
    doc.on("update", this.#edited);
    await replica.loaded;
    const [epoch, unsent] = await Promise.all([replica.get("epoch"), replica.get(WAITING)]);
    if (this.doc !== doc) return;
    if (typeof epoch === "string") this.#epoch = epoch;
    if (typeof unsent === "number") this.#unsent += unsent;
    this.#hasContent ||= typeof epoch === "string";
    this.#changed();
  }

  #opened(opened: DocumentOpened): void {
    this.#info = opened.info;
    this.#mayEdit = opened.may_edit;
    this.#limit = opened.update_bytes;
    this.#fill = opened.fill;
    this.#awarenessLimit = opened.awareness_bytes;
    this.#parts = [];
    this.#partBytes = 0;
    if (this.#phase !== "open") this.#phase = "opening";
    this.#life(opened.epoch);
    this.#step1();
    this.#sendAwareness([this.doc.clientID]);
    this.#changed();
  }

  /** A replica of another life of the content is void. */
  #life(epoch: string): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) {
      this.#rebuild({ reason: "reset", message: "the document began anew" });
    }
    this.#epoch = epoch;
    void this.#replica?.set("epoch", epoch);
  }

  #lost(): void {
    // Everything that is not saved is sent again as one batch, by what the server then says that it has.
    this.#keepWaiting();
    this.#timers.clear("again");
    if (this.#phase !== "refused") this.#phase = "offline";
    const others = [...this.awareness.getStates().keys()].filter((id) => id !== this.doc.clientID);
    removeAwarenessStates(this.awareness, others, this);
    this.#changed();
  }

  #keepWaiting(): void {
    this.#unsent = this.#waiting;
    this.#queue = [];
    this.#outgoing.clear();
    this.#isSynced = false;
    this.#timers.clear("flush");
  }

  #hear(frame: DocumentFrame): void {
    switch (frame.type) {
      case "doc.saved":
        this.#attempts = 0;
        this.#outgoing.saved(frame.batch);
        this.#pump();
        this.emit("saved", frame.batch);
        break;
      case "doc.fill":
        this.#fill = frame.percent;
        break;
      case "doc.refused":
        return this.#refused(frame);
      case "doc.rights":
        this.#info = frame.info;
        this.#mayEdit = frame.may_edit;
        break;
      case "doc.reset":
        // Of a message that was on its way nothing more comes.
        this.#parts = [];
        this.#partBytes = 0;
        this.#life(frame.epoch);
        this.#step1();
        break;
      // The port has dealt with it.
      case "doc.closed":
        break;
    }
    this.#changed();
  }

  #refused({ batch, reason, message }: Extract<DocumentFrame, { type: "doc.refused" }>): void {
    // Of a replica that was given up already: it was built on what was refused.
    if (batch !== undefined && !this.#outgoing.has(batch)) return;
    if (this.#passes(reason)) return this.#again();
    this.#attempts = 0;
    this.#rebuild({ reason, message });
    this.#step1();
    this.#changed();
  }

  /** Whether the same work may be taken later. A store that is away comes back; a fault may be there to stay. */
  #passes(reason: Reason): boolean {
    if (reason === "unavailable") return true;
    return (reason === "internal" || reason === "gap") && this.#attempts < MOST_ATTEMPTS;
  }

  /** Asks after a while what the server has, and sends what it then lacks. */
  #again(): void {
    this.#keepWaiting();
    const wait = backoff(this.#attempts, this.#clock.random());
    this.#attempts += 1;
    this.#timers.set("again", wait, () => this.#step1());
    this.#changed();
  }

  /** Begins with an empty document, and puts aside what was not saved. */
  #rebuild({ reason, message }: { reason: Aside["reason"]; message: string }): void {
    const [old, oldAwareness] = [this.doc, this.awareness];
    let kept = Promise.resolve();
    if (this.#waiting > 0) {
      const update = Y.encodeStateAsUpdate(old);
      const id = this.#asides.newId(this.#clock.random());
      const aside = { id, at: this.#clock.now(), reason, message, update };
      kept = this.#asides.put(aside);
      this.emit("aside", aside);
    }
    this.#keepWaiting();
    this.#unsent = 0;
    this.#timers.clear("again");
    if (this.#phase === "open") this.#phase = "opening";
    old.off("update", this.#edited);
    const mine = oldAwareness.getLocalState();
    oldAwareness.destroy();
    const replica = this.#replica;
    this.#replica = undefined;
    this.#build();
    if (mine) this.awareness.setLocalState(mine);
    const { doc } = this;
    // One after the other: what is kept has one name.
    this.#cleared = Promise.all([this.#cleared, kept]).then(
      () => replica?.clear(),
      () => replica?.clear(),
    );
    void this.#cleared.then(() => {
      if (this.doc !== doc || this.#phase === "closed") return;
      this.#replica = this.#options.replica?.(this.#key, doc);
      if (this.#epoch !== undefined) void this.#replica?.set("epoch", this.#epoch);
    });
    this.emit("doc", doc);
    old.destroy();
  }

  #step1(): void {
    this.#isSynced = false;
    const message = createEncoder();
    writeVarUint(message, WIRE.sync);
    writeVarUint(message, SYNC.step1);
    writeVarUint8Array(message, Y.encodeStateVector(this.doc));
    this.#port?.send(toUint8Array(message));
  }

  #message(data: Uint8Array): void {
    const message = createDecoder(data);
    switch (readVarUint(message)) {
      case WIRE.sync:
        return this.#sync(readVarUint(message), readVarUint8Array(message));
      case WIRE.awareness:
        return applyAwarenessUpdate(this.awareness, readVarUint8Array(message), this);
      case WIRE.queryAwareness:
        return this.#sendAwareness([this.doc.clientID]);
      case WIRE.part: {
        const isLast = readVarUint(message) === 0;
        const part = readVarUint8Array(message);
        this.#partBytes += part.length;
        if (this.#partBytes > MOST_PARTS_BYTES) throw new Error("a message of the server's is too large");
        this.#parts.push(part);
        if (!isLast) return;
        const whole = join(this.#parts, this.#partBytes);
        this.#parts = [];
        this.#partBytes = 0;
        return this.#message(whole);
      }
      default:
        return;
    }
  }

  #sync(kind: number, bytes: Uint8Array): void {
    if (kind === SYNC.step1) return this.#answer(bytes);
    Y.applyUpdate(this.doc, bytes, this);
    if (kind === SYNC.step2) this.#hasContent = true;
    this.#changed();
  }

  /** The server says what it has: it gets what it lacks, which is everything that was done offline. */
  #answer(vector: Uint8Array): void {
    this.#isSynced = true;
    this.#phase = "open";
    this.#hasContent = true;
    const missing = Y.encodeStateAsUpdate(this.doc, vector);
    const hasStructs = Y.decodeUpdate(missing).structs.length > 0;
    const edits = this.#waiting;
    this.#queue = [];
    this.#unsent = 0;
    this.#outgoing.clear();
    this.#timers.clear("again");
    if (edits > 0 || (hasStructs && this.#mayEdit)) this.#send(missing, Math.max(edits, 1));
    this.#changed();
  }

  readonly #edited = (update: Uint8Array, origin: unknown): void => {
    if (origin === this || (this.#replica && origin === this.#replica.origin)) return;
    if (!this.#isSynced) this.#unsent += 1;
    else {
      this.#queue.push(update);
      if (!this.#timers.has("flush")) this.#timers.set("flush", COLLECT_MS, () => this.#flush());
    }
    this.#changed();
  };

  #flush(): void {
    this.#timers.clear("flush");
    if (!this.#isSynced) return;
    const updates = this.#queue;
    this.#queue = [];
    if (updates.length > 0) this.#send(Y.mergeUpdates(updates), updates.length);
    this.#changed();
  }

  #send(update: Uint8Array, edits: number): void {
    this.#outgoing.add(split(update, Math.min(PIECE_BYTES, this.#limit)), edits);
    this.#pump();
  }

  #pump(isLast = false): void {
    for (let batch = this.#outgoing.next(isLast); batch; batch = this.#outgoing.next(isLast)) {
      const { number, update } = batch;
      if (update.length > this.#limit) {
        // The server would end the connection over a frame of this size.
        const message = "one value is larger than the server takes";
        queueMicrotask(() =>
          this.#refused({ type: "doc.refused", channel: 0, batch: number, reason: "too_large", message }),
        );
        return;
      }
      const frame = createEncoder();
      writeVarUint(frame, WIRE.edit);
      writeVarUint(frame, number);
      writeVarUint8Array(frame, update);
      this.#port?.send(toUint8Array(frame));
    }
  }

  readonly #moved = (
    { added, updated, removed }: Record<"added" | "updated" | "removed", number[]>,
    origin: unknown,
  ): void => {
    if (origin === this) return;
    const mine = this.doc.clientID;
    if (![...added, ...updated, ...removed].includes(mine)) return;
    if (!this.#timers.has("awareness")) {
      this.#timers.set("awareness", AWARENESS_MS, () => this.#sendAwareness([this.doc.clientID]));
    }
  };

  #sendAwareness(clients: number[]): void {
    const known = clients.filter((id) => this.awareness.meta.has(id));
    if (known.length === 0) return;
    const update = encodeAwarenessUpdate(this.awareness, known);
    // What is too large would be refused, and a cursor is not worth it.
    if (update.length > this.#awarenessLimit) return;
    const message = createEncoder();
    writeVarUint(message, WIRE.awareness);
    writeVarUint8Array(message, update);
    this.#port?.send(toUint8Array(message));
  }

  #changed(): void {
    this.#state = undefined;
    this.emitSoon("change", () => {
      void this.#replica?.set(WAITING, this.#waiting);
      return this.state;
    });
  }
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function unexpected(): StoaError {
  return new StoaError({ code: "internal", message: "an unexpected reply" });
}
