// A shared document: a Yjs document that stays the same as the server's, over every reconnect.
//
// Invariant: an edit of this user is in exactly one of three places until it is saved: waiting to be sent, on its way
// under a batch's number, or, when it was refused, put aside. Nothing is dropped without being told.
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Port } from "./channels.ts";
import type { Client } from "./client.ts";
import { type Clock, systemClock, Timers } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { StoaError } from "./errors.ts";
import type {
  DocumentFrame,
  DocumentInfo,
  DocumentOpened,
  DocumentVersion,
  Fault,
  Refusal as Reason,
  RoomId,
} from "./protocol.ts";

/** Messages of the binary frames. */
const WIRE = { sync: 0, awareness: 1, queryAwareness: 3, edit: 100, part: 101 } as const;
const SYNC = { step1: 0, step2: 1, update: 2 } as const;

/** Edits are collected for this long: an update of many is smaller than many updates. */
const COLLECT_MS = 50;
/** Cursors are told this often at most. */
const AWARENESS_MS = 40;
/** Nothing that the server sends in parts is larger. */
const MOST_PARTS_BYTES = 256 * 1024 * 1024;
/** Refused work that is kept for its author. */
const MOST_ASIDE = 20;

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
  clock?: Clock;
}

/** Work that was not taken, kept for its author to copy. */
export interface Aside {
  id: number;
  at: number;
  reason: Reason | "reset";
  message: string;
  /** The whole replica with the work in it, as one update. */
  update: Uint8Array;
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

interface Batch {
  number: number;
  edits: number;
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
  readonly #now: () => number;
  #replica: Replica | undefined;
  #port: Port | undefined;
  #phase: DocumentState["phase"] = "opening";
  #hasContent = false;
  #info: DocumentInfo | undefined;
  #mayEdit = false;
  #fault: Fault | undefined;
  #aside: readonly Aside[] = [];
  #lastAside = 0;
  #epoch: string | undefined;
  /** Between the server's step 1 and the loss of the connection: edits may be sent. */
  #isSynced = false;
  #queue: Uint8Array[] = [];
  /** Edits that are neither in `#queue` nor on their way: made offline, or before a reload. */
  #unsent = 0;
  #onTheirWay: Batch[] = [];
  #lastBatch = 0;
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
    const clock = options.clock ?? systemClock;
    this.#timers = new Timers(clock);
    this.#now = () => clock.now();
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
      fault: this.#fault,
      aside: this.#aside,
    };
    return this.#state;
  }

  /** Drops work that was put aside: its author has it, or does not want it. */
  forget(aside: number): void {
    this.#aside = this.#aside.filter(({ id }) => id !== aside);
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
    this.#phase = "closed";
    this.#timers.end();
    this.#port?.close();
    this.awareness.destroy();
    void this.#replica?.close();
    this.doc.off("update", this.#edited);
    this.silence();
  }

  get #waiting(): number {
    const onTheirWay = this.#onTheirWay.reduce((sum, { edits }) => sum + edits, 0);
    return onTheirWay + this.#queue.length + this.#unsent;
  }

  #build(): void {
    this.doc = new Y.Doc();
    this.doc.on("update", this.#edited);
    this.awareness = new Awareness(this.doc);
    this.awareness.on("update", this.#moved);
  }

  async #begin(): Promise<void> {
    await this.#load();
    if (this.#phase === "closed") return;
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

  get #key(): string {
    return `stoa:${this.client.state.user ?? ""}:${this.room}:${this.name}`;
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
    const [epoch, unsent] = await Promise.all([replica.get("epoch"), replica.get("waiting")]);
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
    this.#unsent = this.#waiting;
    this.#queue = [];
    this.#onTheirWay = [];
    this.#isSynced = false;
    this.#timers.clear("flush");
    if (this.#phase !== "refused") this.#phase = "offline";
    const others = [...this.awareness.getStates().keys()].filter((id) => id !== this.doc.clientID);
    removeAwarenessStates(this.awareness, others, this);
    this.#changed();
  }

  #hear(frame: DocumentFrame): void {
    switch (frame.type) {
      case "doc.saved":
        this.#onTheirWay = this.#onTheirWay.filter(({ number }) => number > frame.batch);
        this.emit("saved", frame.batch);
        break;
      case "doc.refused":
        return this.#refused(frame);
      case "doc.rights":
        this.#info = frame.info;
        this.#mayEdit = frame.may_edit;
        break;
      case "doc.reset":
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
    if (batch !== undefined && !this.#onTheirWay.some(({ number }) => number === batch)) return;
    this.#rebuild({ reason, message });
    this.#step1();
    this.#changed();
  }

  /** Begins with an empty document, and puts aside what was not saved. */
  #rebuild({ reason, message }: { reason: Aside["reason"]; message: string }): void {
    const [old, oldAwareness] = [this.doc, this.awareness];
    if (this.#waiting > 0) {
      this.#lastAside += 1;
      const update = Y.encodeStateAsUpdate(old);
      const aside = { id: this.#lastAside, at: this.#now(), reason, message, update };
      this.#aside = [...this.#aside, aside].slice(-MOST_ASIDE);
      this.emit("aside", aside);
    }
    this.#queue = [];
    this.#unsent = 0;
    this.#onTheirWay = [];
    this.#isSynced = false;
    if (this.#phase === "open") this.#phase = "opening";
    old.off("update", this.#edited);
    const mine = oldAwareness.getLocalState();
    oldAwareness.destroy();
    const replica = this.#replica;
    this.#replica = undefined;
    this.#build();
    if (mine) this.awareness.setLocalState(mine);
    const { doc } = this;
    void replica?.clear().then(() => {
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
    this.#onTheirWay = [];
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
    while (this.#queue.length > 0) {
      const part: Uint8Array[] = [];
      let size = 0;
      // Half of the limit: merging may add a little.
      while (this.#queue.length > 0 && (part.length === 0 || size + (this.#queue[0]?.length ?? 0) < this.#limit / 2)) {
        const next = this.#queue.shift() as Uint8Array;
        part.push(next);
        size += next.length;
      }
      this.#send(part.length === 1 ? (part[0] as Uint8Array) : Y.mergeUpdates(part), part.length);
    }
    this.#changed();
  }

  #send(update: Uint8Array, edits: number): void {
    this.#lastBatch += 1;
    const number = this.#lastBatch;
    this.#onTheirWay.push({ number, edits });
    // The server would end the connection over a frame of this size.
    if (update.length > this.#limit) {
      const message = "more was changed at once than the server takes";
      return queueMicrotask(() =>
        this.#refused({ type: "doc.refused", channel: 0, batch: number, reason: "too_large", message }),
      );
    }
    const frame = createEncoder();
    writeVarUint(frame, WIRE.edit);
    writeVarUint(frame, number);
    writeVarUint8Array(frame, update);
    this.#port?.send(toUint8Array(frame));
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
      void this.#replica?.set("waiting", this.#waiting);
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
