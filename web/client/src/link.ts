import { backoff } from "./backoff.ts";
import { type Clock, Timers } from "./clock.ts";
import { NoToken, passes } from "./errors.ts";
import { CLOSE, type Cursor, type Fault, type ServerFrame, SUBPROTOCOL, type Welcome } from "./protocol.ts";

/** The part of the WebSocket interface that is used; browsers, Node and the `ws` package have it. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketClass = new (url: string, protocols: string[]) => Socket;

/** Why a token is asked for: `expired` means that the server took the last one no more, so a cached one is no use. */
export type TokenReason = "connect" | "refresh" | "expired";

export type TokenProvider = (reason: TokenReason) => string | Promise<string>;

/** Why the client has stopped trying. */
export interface Refusal {
  /** The close code, where the server closed. */
  close?: number;
  /** A stable word: the close reason (`unauthorized`, `replaced`, ...) or `token`. */
  reason: string;
  message: string;
}

export type Phase =
  | { phase: "connecting"; attempt: number }
  | { phase: "waiting"; attempt: number; retryAt: number }
  | { phase: "open" }
  | { phase: "refused"; refusal: Refusal }
  | { phase: "closed" };

export interface LinkOptions {
  url: string;
  token: TokenProvider;
  WebSocket: SocketClass;
  clock: Clock;
  list: boolean;
  device: string | undefined;
  client: string;
}

export interface LinkHandler {
  opened(welcome: Welcome): void;
  frame(frame: ServerFrame): void;
  lost(): void;
  phase(): void;
  userCursor(): Cursor | undefined;
}

/** From the first try to `welcome`: a token, a handshake, a hello. */
const CONNECT_MS = 20_000;
/** How long a probe may stay unanswered before the connection counts as dead. */
const PROBE_MS = 10_000;
/** A connection that held this long was a good one: the next loss starts with short delays again. */
const STABLE_MS = 10_000;
/** A token is renewed this long before it expires, or at a fifth of its rest when that is shorter. */
const REFRESH_MS = 60_000;

/** One connection at a time, for as long as the client lives. */
export class Link {
  phase: Phase = { phase: "connecting", attempt: 0 };
  readonly #options: LinkOptions;
  readonly #handler: LinkHandler;
  readonly #timers: Timers;
  #socket: Socket | undefined;
  /** Answers that belong to an earlier attempt are told by it. */
  #generation = 0;
  #attempt = 0;
  #session: { id: string; secret: string } | undefined;
  #lastId = 0;
  #heardAt = 0;
  #byeMs: number | undefined;
  #fault: Fault | undefined;
  #renewed = false;
  #frameBytes = 64 * 1024;
  /** What the server's clock shows more than ours. */
  #aheadMs = 0;

  constructor(options: LinkOptions, handler: LinkHandler) {
    this.#options = options;
    this.#handler = handler;
    this.#timers = new Timers(options.clock);
  }

  get isOpen(): boolean {
    return this.phase.phase === "open";
  }

  /** Largest frame that the server takes, bytes. */
  get frameBytes(): number {
    return this.#frameBytes;
  }

  start(): void {
    this.#connect("connect");
  }

  /** Tries at once instead of at the end of the delay, and makes sure that an open connection is alive. */
  wake(): void {
    if (this.phase.phase === "waiting") this.#connect("connect");
    else if (this.isOpen) this.#probe();
  }

  /** Tries again after a refusal. */
  retry(): void {
    if (this.phase.phase !== "refused") return this.wake();
    this.#attempt = 0;
    this.#renewed = false;
    this.#connect("connect");
  }

  /** A number for a frame: unique over all connections of this client. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** Sends when open; else the frame is not sent and the answer is false. */
  send(frame: object): boolean {
    if (!this.isOpen || !this.#socket) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Gives this connection up and makes a new one that goes on where this one was. */
  renew(reason: string): void {
    if (this.isOpen) this.#lost(4000, reason, 0);
  }

  close(): void {
    this.#generation += 1;
    this.#timers.end();
    this.#detach(1000, "closed");
    this.#enter({ phase: "closed" });
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.#handler.phase();
  }

  #connect(reason: TokenReason): void {
    this.#generation += 1;
    const generation = this.#generation;
    this.#timers.end();
    this.#detach(1000, "again");
    this.#byeMs = undefined;
    this.#fault = undefined;
    this.#enter({ phase: "connecting", attempt: this.#attempt });
    this.#timers.set("connect", CONNECT_MS, () => this.#lost(1006, "timeout"));
    this.#ask(reason).then(
      (token) => {
        if (generation === this.#generation) this.#dial(token);
      },
      (error: unknown) => {
        if (generation !== this.#generation) return;
        if (error instanceof NoToken) this.#refuse({ reason: "token", message: error.message });
        else this.#lost(1006, "token");
      },
    );
  }

  async #ask(reason: TokenReason): Promise<string> {
    return this.#options.token(reason);
  }

  #dial(token: string): void {
    let socket: Socket;
    try {
      socket = new this.#options.WebSocket(this.#options.url, [SUBPROTOCOL]);
    } catch (error) {
      return this.#refuse({ reason: "address", message: String(error) });
    }
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify(this.#hello(token)));
    socket.onmessage = (event: { data: unknown }) => this.#hear(event.data);
    socket.onclose = (event: { code: number; reason: string }) => this.#lost(event.code, event.reason);
    // A close event follows and says more.
    socket.onerror = () => {};
  }

  #hello(token: string): object {
    const { list, device, client } = this.#options;
    const user = this.#handler.userCursor();
    return { type: "hello", id: this.nextId(), token, session: this.#session, user, list, device, client };
  }

  #hear(data: unknown): void {
    this.#heardAt = this.#options.clock.now();
    // Binary frames belong to shared documents.
    if (typeof data !== "string") return;
    let frame: ServerFrame;
    try {
      frame = JSON.parse(data) as ServerFrame;
    } catch {
      return;
    }
    if (frame.type === "welcome") return this.#welcome(frame);
    if (frame.type === "bye") {
      this.#byeMs = frame.reconnect_after_ms;
      return;
    }
    if (frame.type === "token.expiring") return void this.#refresh();
    // Before `welcome` there is nothing but the reason of a refusal.
    if (!this.isOpen) {
      if (frame.type === "error") this.#fault = frame;
      return;
    }
    this.#handler.frame(frame);
  }

  #welcome(welcome: Welcome): void {
    this.#timers.end();
    this.#session = { id: welcome.session, secret: welcome.secret };
    this.#renewed = false;
    this.#frameBytes = welcome.frame_bytes;
    this.#timers.set("stable", STABLE_MS, () => {
      this.#attempt = 0;
    });
    this.#beat(welcome.idle_ms / 2);
    this.#aheadMs = welcome.at - this.#options.clock.now();
    this.#planRefresh(welcome.expires_at);
    this.phase = { phase: "open" };
    this.#handler.opened(welcome);
    this.#handler.phase();
  }

  #beat(everyMs: number): void {
    this.#timers.set("beat", everyMs, () => {
      this.#probe();
      this.#beat(everyMs);
    });
  }

  #probe(): void {
    if (this.#timers.has("probe")) return;
    const asked = this.#options.clock.now();
    this.send({ type: "ping", id: this.nextId() });
    this.#timers.set("probe", PROBE_MS, () => {
      if (this.#heardAt < asked) this.#lost(1006, "silent");
    });
  }

  /** By the server's clock, so that a device whose clock is wrong renews in time too. */
  #planRefresh(expiresAt: number): void {
    const rest = expiresAt - this.#options.clock.now() - this.#aheadMs;
    this.#timers.set("refresh", rest - Math.min(REFRESH_MS, rest / 5), () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    const generation = this.#generation;
    try {
      const token = await this.#ask("refresh");
      if (generation === this.#generation) this.send({ type: "token.refresh", id: this.nextId(), token });
    } catch {
      // Until the token expires there is time; then the server closes and the provider is asked once more.
      if (generation === this.#generation) this.#timers.set("refresh", 5_000, () => void this.#refresh());
    }
  }

  /** The reply to `token.refresh`. */
  refreshed(expiresAt: number): void {
    this.#planRefresh(expiresAt);
  }

  #lost(code: number, reason: string, delayMs?: number): void {
    this.#generation += 1;
    this.#timers.end();
    this.#detach(1000, reason);
    const wasOpen = this.isOpen;
    if (wasOpen) this.phase = { phase: "waiting", attempt: this.#attempt, retryAt: this.#options.clock.now() };
    if (wasOpen) this.#handler.lost();
    // At `hello` a server tells no difference between a token that is too old and one that is wrong.
    const isStale = code === CLOSE.expired || (code === CLOSE.unauthorized && !wasOpen);
    if (isStale && !this.#renewed) {
      this.#renewed = true;
      return this.#connect("expired");
    }
    if (code >= 4500 || code === CLOSE.policy) {
      const message = this.#fault?.message ?? reason;
      return this.#refuse({ close: code, reason: reason || "policy", message });
    }
    this.#wait(delayMs);
  }

  #wait(delayMs?: number): void {
    const { clock } = this.#options;
    const asked = this.#byeMs ?? (this.#fault && passes(this.#fault) ? this.#fault.retry_after_ms : undefined);
    const delay = delayMs ?? asked ?? backoff(this.#attempt, clock.random());
    this.#attempt += 1;
    this.#enter({ phase: "waiting", attempt: this.#attempt, retryAt: clock.now() + delay });
    this.#timers.set("connect", delay, () => this.#connect("connect"));
  }

  #refuse(refusal: Refusal): void {
    this.#timers.end();
    this.#detach(1000, "refused");
    // Another session of this user may be the reason; this one must not be taken up again.
    this.#session = undefined;
    this.#enter({ phase: "refused", refusal });
  }

  #detach(code: number, reason: string): void {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = undefined;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    // The `ws` package throws an error event that nobody hears.
    socket.onerror = () => {};
    try {
      socket.close(code, reason);
    } catch {
      // It was not open, or the reason was too long; either way it is gone.
    }
  }
}
