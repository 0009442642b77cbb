// A server of shared documents for tests: it holds Yjs documents, saves when it is told to, and refuses as it is told.
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from "lib0/encoding";
import * as Y from "yjs";
import { connect } from "../src/index.ts";
import { ack, type FakeClock, settle, snapshot } from "./fake.ts";

interface Edit {
  from: Peer;
  batch: number;
  update: Uint8Array;
}

export class DocServer {
  doc = new Y.Doc();
  epoch = "life 1";
  mayEdit = true;
  /** The next edits are refused for this reason. */
  refusal: string | undefined;
  isDown = false;
  /** Bytes in a part. */
  partBytes = 1_000;
  readonly waiting: Edit[] = [];
  readonly peers = new Set<Peer>();
  edits = 0;

  /** Commits everything that waits. */
  async save(): Promise<void> {
    for (const { from, batch, update } of this.waiting.splice(0)) {
      Y.applyUpdate(this.doc, update);
      if (this.doc.store.pendingStructs) throw new Error("an edit had a gap");
      for (const peer of this.peers) if (peer !== from && peer.isSynced) peer.push(0, 2, update);
      if (this.peers.has(from)) from.say({ type: "doc.saved", channel: 3, batch });
    }
    await settle();
  }

  /** Dies; what was not saved is gone. */
  async crash(): Promise<void> {
    this.isDown = true;
    this.waiting.length = 0;
    for (const peer of [...this.peers]) peer.drop();
    await settle();
  }

  async rights(mayEdit: boolean): Promise<void> {
    this.mayEdit = mayEdit;
    for (const peer of this.peers) peer.say({ type: "doc.rights", channel: 3, may_edit: mayEdit, info: INFO });
    await settle();
  }

  client(clock: FakeClock, user = "ada", isKnown = true) {
    const server = this;
    class Socket extends Peer {
      constructor() {
        super(server, user);
      }
    }
    return connect({
      url: "ws://test/v1/ws",
      token: () => "t",
      WebSocket: Socket,
      clock,
      list: false,
      ...(isKnown && { user }),
    });
  }
}

const INFO = { document: "board", kind: "board", title: "", edit: { role: "member" }, created_at: 0 };

export class Peer {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  isSynced = false;
  readonly #server: DocServer;
  readonly #user: string;
  #isGone = false;

  constructor(server: DocServer, user: string) {
    this.#server = server;
    this.#user = user;
    queueMicrotask(() => {
      if (server.isDown) return this.drop();
      server.peers.add(this);
      this.onopen?.({} as never);
    });
  }

  send(data: string | Uint8Array): void {
    if (this.#isGone) return;
    const copy = typeof data === "string" ? data : data.slice();
    queueMicrotask(() => {
      if (this.#isGone) return;
      if (typeof copy === "string") this.#command(JSON.parse(copy));
      else this.#frame(copy);
    });
  }

  close(): void {
    this.#isGone = true;
    this.#server.peers.delete(this);
  }

  drop(): void {
    this.close();
    this.onclose?.({ code: 1006, reason: "" } as never);
  }

  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) } as never);
  }

  /** A binary frame, in parts when it is large. */
  push(kind: number, sub: number | undefined, bytes: Uint8Array): void {
    const message = createEncoder();
    writeVarUint(message, kind);
    if (sub !== undefined) writeVarUint(message, sub);
    writeVarUint8Array(message, bytes);
    const whole = toUint8Array(message);
    const size = this.#server.partBytes;
    if (whole.length <= size) return this.#raw(whole);
    for (let at = 0; at < whole.length; at += size) {
      const part = createEncoder();
      writeVarUint(part, 101);
      writeVarUint(part, at + size < whole.length ? 1 : 0);
      writeVarUint8Array(part, whole.subarray(at, at + size));
      this.#raw(toUint8Array(part));
    }
  }

  #raw(message: Uint8Array): void {
    const frame = new Uint8Array(message.length + 1);
    frame[0] = 3;
    frame.set(message, 1);
    this.onmessage?.({ data: frame.buffer } as never);
  }

  #command(frame: { type: string; id: number; room?: string }): void {
    const server = this.#server;
    switch (frame.type) {
      case "hello":
        return this.say({
          type: "welcome",
          id: frame.id,
          version: 1,
          features: [],
          at: 0,
          user: this.#user,
          profile: { name: this.#user },
          session: "s",
          secret: "x",
          cursor: { epoch: "u", seq: 0 },
          expires_at: 3_600_000_000,
          idle_ms: 60_000,
          frame_bytes: 65_536,
          may_create: true,
        });
      case "room.open":
        return this.say(ack(frame.id, snapshot(frame.room ?? "", 0)));
      case "doc.open":
        return this.say(
          ack(frame.id, {
            kind: "document",
            channel: 3,
            room: "r",
            info: INFO,
            epoch: server.epoch,
            may_edit: server.mayEdit,
            update_bytes: 1_000_000,
            awareness_bytes: 8_192,
          }),
        );
      case "ping":
        return this.say({ type: "pong", id: frame.id });
      default:
        return;
    }
  }

  #frame(data: Uint8Array): void {
    const server = this.#server;
    const message = createDecoder(data.subarray(1));
    const kind = readVarUint(message);
    if (kind === 0) {
      if (readVarUint(message) !== 0) throw new Error("an edit without a number");
      const vector = readVarUint8Array(message);
      this.isSynced = true;
      this.push(0, 1, Y.encodeStateAsUpdate(server.doc, vector));
      return this.push(0, 0, Y.encodeStateVector(server.doc));
    }
    if (kind === 1) {
      const update = readVarUint8Array(message);
      for (const peer of server.peers) if (peer !== this && peer.isSynced) peer.push(1, undefined, update);
      return;
    }
    if (kind !== 100) throw new Error(`message ${kind}`);
    server.edits += 1;
    const batch = readVarUint(message);
    const update = readVarUint8Array(message);
    const reason = server.mayEdit ? server.refusal : "forbidden";
    if (reason) this.say({ type: "doc.refused", channel: 3, batch, reason, message: reason });
    else server.waiting.push({ from: this, batch, update });
  }
}
