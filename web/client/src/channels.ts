import { passes } from "./errors.ts";
import type { Outcome } from "./outbox.ts";
import type { DocumentFrame, DocumentOpened, Fault, RoomId } from "./protocol.ts";

export interface PortHandler {
  /** The document is open on a new connection: nothing of an earlier one holds. */
  opened(opened: DocumentOpened): void;
  /** Something is told of it. */
  frame(frame: DocumentFrame): void;
  /** A message of its binary frames. */
  message(data: Uint8Array<ArrayBuffer>): void;
  /** The connection is gone, or the room was left; it is opened again by itself. */
  lost(): void;
  /** It is not opened again. */
  refused(fault: Fault): void;
}

/** A document's way to the server. */
export interface Port {
  /** Sends a message of the binary frames; the answer is whether it was sent. */
  send(message: Uint8Array): boolean;
  /** Tries again after a refusal. */
  retry(): void;
  close(): void;
}

interface ChannelsHost {
  isAttached(room: RoomId): boolean;
  call(frame: object, done: (outcome: Outcome) => void): void;
  tell(frame: object): boolean;
  bytes(data: Uint8Array<ArrayBuffer>): boolean;
  later(ms: number, run: () => void): void;
}

interface Line {
  room: RoomId;
  document: string;
  handler: PortHandler;
  channel: number | undefined;
  isOpening: boolean;
  isRefused: boolean;
}

const AGAIN_MS = 1_000;

/** Documents on the one WebSocket: each open one has a channel, a number that begins its binary frames. */
export class Channels {
  readonly #host: ChannelsHost;
  readonly #lines = new Set<Line>();
  readonly #open = new Map<number, Line>();

  constructor(host: ChannelsHost) {
    this.#host = host;
  }

  port(room: RoomId, document: string, handler: PortHandler): Port {
    const line: Line = { room, document, handler, channel: undefined, isOpening: false, isRefused: false };
    this.#lines.add(line);
    this.#attach(line);
    return {
      send: (message) => this.#send(line, message),
      retry: () => {
        line.isRefused = false;
        this.#attach(line);
      },
      close: () => {
        this.#lines.delete(line);
        if (line.channel === undefined) return;
        this.#host.tell({ type: "doc.close", channel: line.channel });
        this.#open.delete(line.channel);
        line.channel = undefined;
      },
    };
  }

  /** The room is open on this connection. */
  attached(room: RoomId): void {
    for (const line of this.#lines) if (line.room === room) this.#attach(line);
  }

  detached(room: RoomId): void {
    for (const line of this.#lines) {
      if (line.room !== room) continue;
      line.isOpening = false;
      if (line.channel === undefined) continue;
      this.#open.delete(line.channel);
      line.channel = undefined;
      line.handler.lost();
    }
  }

  hear(frame: DocumentFrame): void {
    const line = this.#open.get(frame.channel);
    if (!line) return;
    if (frame.type !== "doc.closed") return line.handler.frame(frame);
    this.#open.delete(frame.channel);
    line.channel = undefined;
    line.handler.lost();
    this.#faulted(line, frame.reason);
  }

  bytes(data: Uint8Array<ArrayBuffer>): void {
    let [channel, at, factor] = [0, 0, 1];
    for (;;) {
      const byte = data[at];
      // Longer than any channel's number.
      if (byte === undefined || at > 5) return;
      channel += (byte & 0x7f) * factor;
      factor *= 128;
      at += 1;
      if (byte < 0x80) break;
    }
    this.#open.get(channel)?.handler.message(data.subarray(at));
  }

  #attach(line: Line): void {
    if (line.channel !== undefined || line.isOpening || line.isRefused) return;
    if (!this.#lines.has(line) || !this.#host.isAttached(line.room)) return;
    line.isOpening = true;
    this.#host.call({ type: "doc.open", room: line.room, document: line.document }, (outcome) => {
      // The room was left or the connection lost in between: what is told now belongs to the past.
      if (!line.isOpening) return;
      line.isOpening = false;
      if (outcome === "lost") return;
      if ("fault" in outcome) return this.#faulted(line, outcome.fault);
      const { result } = outcome.ack;
      if (result?.kind !== "document") return;
      if (!this.#lines.has(line)) return void this.#host.tell({ type: "doc.close", channel: result.channel });
      line.channel = result.channel;
      this.#open.set(result.channel, line);
      line.handler.opened(result);
    });
  }

  #faulted(line: Line, fault: Fault): void {
    if (passes(fault) || fault.code === "internal") {
      return this.#host.later(fault.retry_after_ms ?? AGAIN_MS, () => this.#attach(line));
    }
    line.isRefused = true;
    line.handler.refused(fault);
  }

  #send(line: Line, message: Uint8Array): boolean {
    if (line.channel === undefined) return false;
    const prefix: number[] = [];
    let rest = line.channel;
    while (rest > 0x7f) {
      prefix.push((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 128);
    }
    prefix.push(rest);
    const frame = new Uint8Array(prefix.length + message.length);
    frame.set(prefix);
    frame.set(message, prefix.length);
    return this.#host.bytes(frame);
  }
}
