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
  /** Set to `arraybuffer`. */
  binaryType?: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
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
  /** A frame of an open document. */
  bytes(data: Uint8Array<ArrayBuffer>): void;
  lost(): void;
  phase(): void;
  userCursor(): Cursor | undefined;
}

/** From the first try to `welcome`: a token, a handshake, a hello. */
const CONNECT_MS = 20_000;
/** How long nothing at all may come after a probe before the connection counts as dead. */
const PROBE_MS = 10_000;
/** How long its answer may take when other frames come: a line may carry one way only. */
const PROBE_MOST_MS = 30_000;
/** A connection that held this long was a good one: the next loss starts with short delays again. */
const STABLE_MS = 10_000;
/** A token is renewed this long before it expires, or at a fifth of its rest when that is shorter. */
const REFRESH_MS = 60_000;
/** A provider that gives the same old token again is not asked in a loop. */
const REFRESH_LEAST_MS = 5_000;

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
  /** The last probe: its number until it is answered. */
  #probed: number | undefined;
  /** The token that is being fetched: who asks meanwhile gets the same. */
  #fetching: { reason: TokenReason; token: Promise<string> } | undefined;
  /** The number of `token.refresh` until it is answered. */
  #refreshing: number | undefined;
  #isRefreshing = false;
  #refreshes = 0;
  #late: () => void = () => {};
  /** Whether the delay that is being waited for is the server's own: no hint shortens it. */
  #isTold = false;
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

  /** What the server's clock shows more than ours, milliseconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Largest frame that the server takes, bytes. */
  get frameBytes(): number {
    return this.#frameBytes;
  }

  start(): void {
    this.#connect("connect");
  }

  /**
   * A hint that the network changed: tries at once instead of at the end of the delay, unless the delay is the
   * server's, and makes sure that an open connection is alive.
   */
  wake(): void {
    const isOnline = (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine !== false;
    if (this.phase.phase === "waiting" && !this.#isTold && isOnline) this.#connect("connect");
    else if (this.isOpen) this.#probe();
  }

  /** A person's word: tries at once, also after a refusal. */
  retry(): void {
    if (this.phase.phase === "closed") return;
    if (this.phase.phase === "waiting") return this.#connect("connect");
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
    try {
      this.#socket.send(JSON.stringify(frame));
      return true;
    } catch {
      // It is closing, and its close event is on the way.
      return false;
    }
  }

  /** The same for a binary frame. */
  sendBytes(data: Uint8Array<ArrayBuffer>): boolean {
    if (!this.isOpen || !this.#socket) return false;
    this.#socket.send(data);
    return true;
  }

  /** Gives this connection up and makes a new one that goes on where this one was. */
  renew(reason: string): void {
    if (this.isOpen) this.#lost(4000, reason, 0);
  }

  close(): void {
    this.#generation += 1;
    this.#timers.end();
    this.#late();
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
    this.#token(reason).then(
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

  /** Asks the provider, one question at a time: a token that comes while another reason arises serves both. */
  #token(reason: TokenReason): Promise<string> {
    const running = this.#fetching;
    // A token that was asked for before the last one was refused may be the same one again.
    if (running && (reason !== "expired" || running.reason === "expired")) return running.token;
    const token = this.#fetch(reason);
    const fetching = { reason, token };
    this.#fetching = fetching;
    const done = () => {
      if (this.#fetching === fetching) this.#fetching = undefined;
    };
    token.then(done, done);
    return token;
  }

  /** A provider that never answers must not keep the next question from being asked. */
  async #fetch(reason: TokenReason): Promise<string> {
    const { clock, token } = this.#options;
    let late: unknown;
    try {
      return await Promise.race([
        (async () => token(reason))(),
        new Promise<never>((_, reject) => {
          late = clock.setTimeout(() => reject(new Error("the token provider did not answer")), CONNECT_MS);
          this.#late = () => {
            clock.clearTimeout(late);
            reject(new Error("closed"));
          };
        }),
      ]);
    } finally {
      clock.clearTimeout(late);
    }
  }

  #dial(token: string): void {
    let socket: Socket;
    try {
      socket = new this.#options.WebSocket(this.#options.url, [SUBPROTOCOL]);
    } catch (error) {
      return this.#refuse({ reason: "address", message: String(error) });
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
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
    if (data instanceof ArrayBuffer) {
      if (this.isOpen) this.#handler.bytes(new Uint8Array(data));
      return;
    }
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
    if (frame.type === "pong") {
      if (frame.id === this.#probed) this.#probed = undefined;
      return;
    }
    if (frame.type === "error" && frame.id !== undefined && frame.id === this.#refreshing) {
      // The next token may do better; without one the server closes when this one ends.
      this.#refreshing = undefined;
      return this.#refreshLater();
    }
    // Before `welcome` there is nothing but the reason of a refusal.
    if (!this.isOpen) {
      if (frame.type === "error") this.#fault = frame;
      return;
    }
    this.#handler.frame(frame);
  }

  #welcome(welcome: Welcome): void {
    this.#timers.end();
    this.#probed = undefined;
    this.#refreshing = undefined;
    this.#isRefreshing = false;
    this.#refreshes = 0;
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
    const id = this.nextId();
    this.#probed = id;
    this.send({ type: "ping", id });
    this.#timers.set("probe", PROBE_MS, () => {
      if (this.#heardAt < asked) return this.#lost(1006, "silent");
      if (this.#probed !== id) return;
      this.#timers.set("probe", PROBE_MOST_MS - PROBE_MS, () => {
        if (this.#probed === id) this.#lost(1006, "unanswered");
      });
    });
  }

  /** By the server's clock, so that a device whose clock is wrong renews in time too. */
  #planRefresh(expiresAt: number): void {
    const rest = expiresAt - this.#options.clock.now() - this.#aheadMs;
    const wait = Math.max(rest - Math.min(REFRESH_MS, rest / 5), REFRESH_LEAST_MS);
    this.#timers.set("refresh", wait, () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    const generation = this.#generation;
    // One at a time: the server's reminder may come while the own timer's question is on its way.
    if (this.#isRefreshing || this.#refreshing !== undefined) return;
    this.#isRefreshing = true;
    try {
      const token = await this.#token("refresh");
      if (generation !== this.#generation) return;
      this.#refreshing = this.nextId();
      this.send({ type: "token.refresh", id: this.#refreshing, token });
    } catch (error) {
      // Until the token expires there is time; then the server closes and the provider is asked once more. Who has
      // said that there is none is not asked before.
      if (generation === this.#generation && !(error instanceof NoToken)) this.#refreshLater();
    } finally {
      if (generation === this.#generation) this.#isRefreshing = false;
    }
  }

  #refreshLater(): void {
    const wait = REFRESH_LEAST_MS + backoff(this.#refreshes, this.#options.clock.random());
    this.#refreshes += 1;
    this.#timers.set("refresh", wait, () => void this.#refresh());
  }

  /** The reply to `token.refresh`. */
  refreshed(expiresAt: number): void {
    this.#refreshing = undefined;
    this.#refreshes = 0;
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
    // The delays of `bye` are spread by the server; others are spread here.
    const later = this.#fault && passes(this.#fault) ? this.#fault.retry_after_ms : undefined;
    const asked = this.#byeMs ?? (later === undefined ? undefined : Math.round(later * (1 + clock.random() / 4)));
    const delay = delayMs ?? asked ?? backoff(this.#attempt, clock.random());
    this.#isTold = delayMs === undefined && asked !== undefined;
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
