import { Channels, type Port, type PortHandler } from "./channels.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Emitter } from "./emitter.ts";
import { passes, StoaError } from "./errors.ts";
import { fetchWith, httpOf } from "./http.ts";
import { Link, type Phase, type SocketClass, type TokenProvider } from "./link.ts";
import { RoomList } from "./list.ts";
import { listenToNetwork } from "./network.ts";
import type { ClientEvents, ClientState, ConnectOptions, Once, OwnState, Query, Ring } from "./options.ts";
import { type Durable, Outbox, type Outcome } from "./outbox.ts";
import type {
  Ack,
  Cursor,
  Fault,
  Profile,
  Reply,
  RoomCreate,
  RoomEntry,
  RoomId,
  Seq,
  ServerFrame,
  UserEvent,
  UserId,
  Welcome,
} from "./protocol.ts";
import { Rings } from "./rings.ts";
import { Room } from "./room.ts";
import { tabStore } from "./shelf.ts";

interface Asked {
  frame: Query;
  tries: number;
  resolve(ack: Ack): void;
  reject(error: StoaError): void;
}

/** More questions at once are a loop. */
const MOST_QUERIES = 256;
const MOST_TRIES = 5;
const AGAIN_MS = 1_000;
/** Pages of the room list that are fetched by themselves: 2,000 rooms. */
const MOST_PAGES = 20;
const PAGE = 100;
/** Names per question (the server's `PROFILES`). */
const PROFILES = 100;
/** Closed rooms whose state is kept for coming back. */
const CLOSED_ROOMS = 20;
/** Somebody whose name was not told may have come into a shared room since. */
const ASK_AGAIN_MS = 60_000;
/** Names and pictures that are kept; the ones that were learnt first go first, and come again when they are shown. */
const MOST_PROFILES = 5_000;
const LIST_AGAIN_MS = 30_000;
const NONE: readonly string[] = [];

/** Connects, and stays connected until `close()`. Nothing is thrown: `state` tells how it goes. */
export function connect(options: ConnectOptions): Client {
  return new Client(options);
}

export class Client extends Emitter<ClientEvents> {
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #outbox: Outbox;
  #list = new RoomList();
  readonly #isListed: boolean;
  readonly #rooms = new Map<RoomId, Room>();
  readonly #channels: Channels;
  readonly #token: TokenProvider;
  readonly #http: URL;
  readonly #calls = new Map<number, (outcome: Outcome) => void>();
  readonly #queries = new Set<Asked>();
  readonly #timers = new Set<unknown>();
  readonly #unknown = new Set<UserId>();
  /** Who was asked for, and when. */
  readonly #askedFor = new Map<UserId, number>();
  readonly #stopListening: () => void;
  #profiles: ReadonlyMap<UserId, Profile> = new Map();
  #state: ClientState | undefined;
  #isStale = true;
  #told: ClientState | undefined;
  #welcome: Welcome | undefined;
  #user: UserId | undefined;
  #cursor: Cursor | undefined;
  #userGap = false;
  #isFirst = true;
  #presence: { state: OwnState; text?: string } | undefined;
  #epochOfList = 0;
  readonly #rings = new Rings((rings) => this.emit("rings", rings));

  /** @internal */
  constructor(options: ConnectOptions) {
    super();
    const socket = options.WebSocket ?? (globalThis.WebSocket as unknown as SocketClass | undefined);
    if (!socket) throw new Error("there is no WebSocket here: give one in `options.WebSocket`");
    this.#clock = options.clock ?? systemClock;
    this.#isListed = options.list ?? true;
    this.#outbox = new Outbox(
      {
        ready: (room) => this.#link.isOpen && (this.#rooms.get(room)?.isReady ?? true),
        call: (frame, done) => this.#call(frame, done),
        isApplied: (room, seq) => this.#rooms.get(room)?.isApplied(seq) ?? true,
        changed: (room) => {
          this.#rooms.get(room)?.touched();
          this.#changed();
        },
        refused: (entry) => this.#rooms.get(entry.frame.room)?.refused(entry),
      },
      this.#clock,
      options.store === undefined ? tabStore() : (options.store ?? undefined),
      this.#newKey().slice(0, 12),
    );
    this.#token = options.token;
    this.#http = httpOf(options.url);
    this.#channels = new Channels({
      isAttached: (room) => this.#rooms.get(room)?.isAttached ?? false,
      call: (frame, done) => this.#call(frame, done),
      tell: (frame) => this.#link.send({ ...frame, id: this.#link.nextId() }),
      bytes: (data) => this.#link.sendBytes(data),
      later: (ms, run) => this.#later(ms, run),
    });
    this.#link = new Link(
      {
        url: String(options.url).replace(/^http/, "ws"),
        token: options.token,
        WebSocket: socket,
        clock: this.#clock,
        list: this.#isListed,
        device: options.device,
        client: options.client ?? "stoa-client/0.1",
      },
      {
        opened: (welcome) => this.#opened(welcome),
        frame: (frame) => this.#hear(frame),
        bytes: (data) => this.#channels.bytes(data),
        lost: () => this.#lost(),
        phase: () => this.#phase(),
        userCursor: () => this.#cursor,
      },
    );
    if (options.user !== undefined) {
      this.#user = options.user;
      this.#outbox.own(options.user);
    }
    this.#stopListening = listenToNetwork(() => this.#link.wake());
    this.#link.start();
  }

  /** How it goes now. The same object until something changes. */
  get state(): ClientState {
    if (!this.#isStale && this.#state) return this.#state;
    const [old, now] = [this.#state, this.#build()];
    this.#isStale = false;
    const isSame = old && (Object.keys(now) as (keyof ClientState)[]).every((name) => old[name] === now[name]);
    if (!isSame) this.#state = now;
    return this.#state as ClientState;
  }

  /** The user's rooms, the one with the newest message first. */
  get rooms(): readonly RoomEntry[] {
    return this.#list.entries;
  }

  /** Whether `rooms` has been fetched since the connection was made. */
  get hasRooms(): boolean {
    return this.#list.isComplete;
  }

  /** The server's time, as well as it is known: milliseconds since the Unix epoch. */
  get serverTime(): number {
    return this.#clock.now() + this.#link.aheadMs;
  }

  /** Who calls now, on whatever device of the user it may be answered. */
  get rings(): readonly Ring[] {
    return this.#rings.now;
  }

  /** Names and pictures that are known. */
  get profiles(): ReadonlyMap<UserId, Profile> {
    return this.#profiles;
  }

  /** A name and picture. An unknown one is asked for, and `profiles` tells when it came. */
  profile(user: UserId): Profile | undefined {
    const known = this.#profiles.get(user);
    const now = this.#clock.now();
    if (!known && now - (this.#askedFor.get(user) ?? Number.NEGATIVE_INFINITY) > ASK_AGAIN_MS) {
      if (this.#askedFor.size >= MOST_PROFILES) this.#askedFor.clear();
      this.#askedFor.set(user, now);
      if (this.#unknown.size === 0) queueMicrotask(() => void this.#askProfiles());
      this.#unknown.add(user);
    }
    return known;
  }

  /** A room; the same object for the same id. It does nothing until `open()`, except that it can send. */
  room(id: RoomId): Room {
    const known = this.#rooms.get(id);
    if (known) return known;
    const room = new Room(id, {
      client: this,
      clock: this.#clock,
      outbox: this.#outbox,
      me: () => this.#user,
      session: () => this.#welcome?.session,
      isOpen: () => this.#link.isOpen,
      call: (frame, done) => this.#call(frame, done),
      tell: (frame) => this.#link.send({ ...frame, id: this.#link.nextId() }),
      newKey: () => this.#newKey(),
      learn: (profiles) => this.#learn(profiles),
      changed: () => this.#changed(),
      attached: (room) => this.#channels.attached(room),
      detached: (room) => this.#channels.detached(room),
      readUpTo: (room, seq) => {
        this.#list.read(room, seq);
        this.#listChanged();
      },
      isEnded: () => this.#link.phase.phase === "closed",
      renewed: (room) => this.#list.forgetRead(room),
      closed: (room) => this.#closedRoom(room),
    });
    this.#rooms.set(id, room);
    return room;
  }

  /** Creates a room, also when offline: the id is known at once, `created` tells when the server has it. */
  createRoom(fields: Omit<RoomCreate, "key">): { room: RoomId; created: Promise<Seq> } {
    const room = fields.room ?? this.#newKey().slice(0, 20);
    const frame = { type: "room.create", ...fields, room, key: this.#newKey() } as Durable;
    return { room, created: this.#outbox.add(frame).acked };
  }

  /** Finds or creates the direct room with somebody. */
  async direct(user: UserId): Promise<RoomId> {
    const reply = await this.query({ type: "room.direct", user });
    if (reply.kind !== "room") throw new StoaError({ code: "internal", message: "an unexpected reply" });
    return reply.room;
  }

  /** Asks. While offline the question waits; a refusal that passes is asked again. Names in the reply are learned. */
  async query(frame: Query): Promise<Reply> {
    const { result } = await this.ask(frame);
    if (!result) throw new StoaError({ code: "internal", message: "an empty reply" });
    if ("profiles" in result) this.#learn(result.profiles);
    return result;
  }

  /** The same, for what is only acknowledged. */
  ask(frame: Query): Promise<Ack> {
    return new Promise((resolve, reject) => {
      if (this.#link.phase.phase === "closed") return reject(closed());
      if (this.#queries.size >= MOST_QUERIES) {
        return reject(new StoaError({ code: "overloaded", message: "too many questions are waiting" }));
      }
      const asked = { frame, tries: 0, resolve, reject };
      this.#queries.add(asked);
      this.#ask(asked);
    });
  }

  /** Asks once, for what must not be asked again by itself: it fails when the connection does. */
  once(frame: Once): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!this.#link.isOpen) return reject(new StoaError({ code: "unavailable", message: "offline" }));
      this.#call(frame, (outcome) => {
        if (outcome === "lost")
          return reject(new StoaError({ code: "unavailable", message: "the connection was lost" }));
        if ("fault" in outcome) return reject(new StoaError(outcome.fault));
        if (outcome.ack.result) return resolve(outcome.ack.result);
        reject(new StoaError({ code: "internal", message: "an empty reply" }));
      });
    });
  }

  /** A request to the server's HTTP API as this user; `path` is below the server's root: `v1/rooms/...`. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetchWith(this.#token, new URL(path, this.#http), init);
  }

  /** What the documents of `@stoa/client/documents` travel by. */
  port(room: RoomId, document: string, handler: PortHandler): Port {
    return this.#channels.port(room, document, handler);
  }

  /** The user's own state on this device; kept over reconnects. */
  setPresence(state: OwnState, text?: string): void {
    this.#presence = { state, text };
    this.#link.send({ type: "presence.set", id: this.#link.nextId(), state, text });
  }

  /** Tries at once, when offline, or after a refusal. */
  retry(): void {
    this.#link.retry();
  }

  /** Leaves at once, ends the connection and all timers. What waits in `store` stays there. */
  close(): void {
    if (this.#link.phase.phase === "closed") return;
    this.#stopListening();
    // A lost connection has a grace, because it may come back; this one will not.
    this.#link.send({ type: "presence.set", id: this.#link.nextId(), state: "offline" });
    for (const room of this.#rooms.values()) room.end();
    this.#link.close();
    this.#outbox.end();
    for (const handle of this.#timers) this.#clock.clearTimeout(handle);
    for (const asked of this.#queries) asked.reject(closed());
    this.#queries.clear();
    this.#calls.clear();
    this.#isStale = true;
    this.emit("change", this.state);
    this.#rings.forget();
    this.silence();
  }

  #opened(welcome: Welcome): void {
    this.#isFirst = false;
    this.#welcome = welcome;
    // Another user's token: nothing of the one before may stay.
    if (this.#user !== undefined && this.#user !== welcome.user) {
      for (const room of this.#rooms.values()) room.forget();
      this.#list = new RoomList();
      this.#listChanged();
    }
    this.#user = welcome.user;
    this.#cursor = welcome.cursor;
    this.#outbox.own(welcome.user);
    this.#learn({ [welcome.user]: welcome.profile });
    if (this.#presence) this.setPresence(this.#presence.state, this.#presence.text);
    for (const room of this.#rooms.values()) room.attach();
    for (const asked of this.#queries) this.#ask(asked);
    if (this.#isListed) void this.#restoreList();
    this.#outbox.flush();
  }

  #lost(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const done of calls) done("lost");
    for (const room of this.#rooms.values()) if (room.isWanted) room.detached();
  }

  #phase(): void {
    const { phase } = this.#link.phase;
    if (phase === "waiting" || phase === "refused") this.#isFirst = false;
    this.#changed();
  }

  #hear(frame: ServerFrame): void {
    if ("user_seq" in frame) return this.#userEvent(frame);
    switch (frame.type) {
      case "ack":
        if (frame.result?.kind === "token") this.#link.refreshed(frame.result.expires_at);
        return this.#answer(frame.id, { ack: frame });
      case "error":
        return frame.id === undefined ? undefined : this.#answer(frame.id, { fault: frame });
      case "profile":
        return this.#learn({ [frame.user]: frame.profile });
      case "list":
        this.#list.put(frame.entry);
        return this.#listChanged();
      case "list.removed":
        this.#list.remove(frame.room);
        return this.#listChanged();
      case "user.reset":
        this.#cursor = frame.cursor;
        if (this.#isListed) void this.#restoreList();
        return;
      case "doc.saved":
      case "doc.refused":
      case "doc.rights":
      case "doc.fill":
      case "doc.closed":
      case "doc.reset":
        return this.#channels.hear(frame);
      case "app.passing":
        if (frame.room === undefined) return this.emit("app", { from: frame.from, name: frame.name, data: frame.data });
        return this.#rooms.get(frame.room)?.hear({ ...frame, room: frame.room });
      case "welcome":
      case "pong":
      case "token.expiring":
      case "bye":
        return;
      default:
        if ("room" in frame) this.#rooms.get(frame.room)?.hear(frame);
    }
  }

  #userEvent(event: UserEvent): void {
    if (this.#cursor) {
      if (event.user_seq <= this.#cursor.seq) return;
      // A hole in the user's own stream: a new connection resumes from the cursor. Once; then it is not the loss of
      // a frame, and the list has restored what can be restored.
      if (event.user_seq > this.#cursor.seq + 1 && !this.#userGap) {
        this.#userGap = true;
        return this.#link.renew("user stream");
      }
      this.#userGap = false;
      this.#cursor = { epoch: this.#cursor.epoch, seq: event.user_seq };
    }
    const { from, at } = event;
    switch (event.type) {
      case "user.mentioned":
        return this.emit("mention", { room: event.room, message: event.message, from, at });
      case "user.invited":
        return this.emit("invited", { room: event.room, from, at });
      case "user.removed":
        return this.emit("removed", { room: event.room, reason: event.reason, from, at });
      case "user.rights":
        return this.emit("rights", { room: event.room, role: event.role, from, at });
      case "user.ring":
        return this.#ring({ room: event.room, call: event.call, media: event.media, until: event.until, from, at });
      case "user.ring_ended": {
        const { room, call, reason } = event;
        return this.emit("ringEnded", { room, call, reason, from: this.#rings.end(room, call) ?? from, at });
      }
      case "user.app":
        return this.emit("app", { from, name: event.name, data: event.data });
    }
  }

  #ring(ring: Ring): void {
    const now = this.serverTime;
    if (ring.until <= now) return;
    this.#rings.add(ring);
    this.#later(ring.until - now, () => this.#rings.end(ring.room, ring.call));
  }

  #call(frame: object, done: (outcome: Outcome) => void): void {
    const id = this.#link.nextId();
    const named = { ...frame, id };
    if (new TextEncoder().encode(JSON.stringify(named)).length > this.#link.frameBytes) {
      const fault: Fault = { code: "too_large", message: `is larger than ${this.#link.frameBytes} bytes` };
      return done({ fault });
    }
    this.#calls.set(id, done);
    if (this.#link.send(named)) return;
    this.#calls.delete(id);
    done("lost");
  }

  #answer(id: number, outcome: Outcome): void {
    const done = this.#calls.get(id);
    this.#calls.delete(id);
    done?.(outcome);
  }

  #ask(asked: Asked): void {
    if (!this.#link.isOpen) return;
    this.#call(asked.frame, (outcome) => {
      // Asked again when the connection is back.
      if (outcome === "lost" || !this.#queries.has(asked)) return;
      if ("fault" in outcome && passes(outcome.fault) && asked.tries < MOST_TRIES) {
        asked.tries += 1;
        return this.#later(outcome.fault.retry_after_ms ?? AGAIN_MS, () => this.#ask(asked));
      }
      this.#queries.delete(asked);
      if ("fault" in outcome) asked.reject(new StoaError(outcome.fault));
      else asked.resolve(outcome.ack);
    });
  }

  /**
   * 128 random bits in characters that every id and key may have. They have to be unique, not secret, so where the
   * platform has no source of its own (React Native) the clock's chance will do.
   */
  #newKey(): string {
    const bytes = new Uint8Array(16);
    if (typeof globalThis.crypto?.getRandomValues === "function") crypto.getRandomValues(bytes);
    else
      bytes.forEach((_, index) => {
        bytes[index] = Math.floor(this.#clock.random() * 256);
      });
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  #later(ms: number, run: () => void): void {
    const handle = this.#clock.setTimeout(() => {
      this.#timers.delete(handle);
      run();
    }, ms);
    this.#timers.add(handle);
  }

  async #restoreList(): Promise<void> {
    this.#epochOfList += 1;
    const epoch = this.#epochOfList;
    this.#list.begin();
    this.#changed();
    const entries: RoomEntry[] = [];
    try {
      let after: string | undefined;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const reply = await this.query({ type: "room.list", limit: PAGE, after });
        // Another connection has begun to ask anew.
        if (epoch !== this.#epochOfList || reply.kind !== "rooms") return;
        entries.push(...reply.rooms);
        after = reply.next;
        if (after === undefined) break;
      }
    } catch {
      // Refused: what is known stays, and is not waited for.
      if (epoch !== this.#epochOfList || this.#link.phase.phase === "closed") return;
      this.#later(LIST_AGAIN_MS, () => {
        if (epoch === this.#epochOfList && this.#link.isOpen) void this.#restoreList();
      });
      this.#list.isComplete = true;
      return this.#listChanged();
    }
    this.#list.restore(entries);
    this.#listChanged();
  }

  async #askProfiles(): Promise<void> {
    const users = [...this.#unknown];
    this.#unknown.clear();
    for (let first = 0; first < users.length; first += PROFILES) {
      const part = users.slice(first, first + PROFILES);
      await this.query({ type: "profile.list", users: part }).catch(() => {});
    }
  }

  #learn(profiles: Record<UserId, Profile> | undefined): void {
    const news = Object.entries(profiles ?? {}).filter(([user, { name, avatar }]) => {
      const old = this.#profiles.get(user);
      return !old || old.name !== name || old.avatar !== avatar;
    });
    if (news.length === 0) return;
    const all = new Map([...this.#profiles, ...news]);
    for (const user of all.keys()) {
      if (all.size <= MOST_PROFILES) break;
      if (user !== this.#user) all.delete(user);
    }
    this.#profiles = all;
    for (const [user] of news) this.#askedFor.delete(user);
    this.emitSoon("profiles", () => this.#profiles);
    this.#changed();
  }

  /** Keeps the states of the rooms that were closed last. */
  #closedRoom(room: Room): void {
    this.#rooms.delete(room.id);
    this.#rooms.set(room.id, room);
    const closedRooms = [...this.#rooms.values()].filter((other) => !other.isWanted);
    for (const old of closedRooms.slice(0, Math.max(0, closedRooms.length - CLOSED_ROOMS))) old.forget();
  }

  #listChanged(): void {
    this.emitSoon("rooms", () => this.#list.entries);
    this.#changed();
  }

  #changed(): void {
    this.#isStale = true;
    this.emitSoon("change", () => {
      // Every event of a room comes by here, and most change nothing that this state tells.
      if (this.state === this.#told) return undefined;
      this.#told = this.state;
      return this.#told;
    });
  }

  #build(): ClientState {
    const phase = this.#link.phase;
    const welcome = this.#welcome;
    return {
      status: this.#status(phase),
      retryAt: phase.phase === "waiting" ? phase.retryAt : undefined,
      refusal: phase.phase === "refused" ? phase.refusal : undefined,
      waiting: this.#outbox.waiting,
      isSaved: this.#outbox.isSaved,
      user: this.#user,
      session: welcome?.session,
      profile: this.#user === undefined ? undefined : this.#profiles.get(this.#user),
      mayCreate: welcome?.may_create ?? false,
      features: welcome?.features ?? NONE,
    };
  }

  #status(phase: Phase): ClientState["status"] {
    switch (phase.phase) {
      case "connecting":
        return this.#isFirst ? "connecting" : "offline";
      case "waiting":
        return "offline";
      case "refused":
        return "refused";
      case "closed":
        return "closed";
      case "open": {
        const isListed = !this.#isListed || this.#list.isComplete;
        const isCaughtUp = [...this.#rooms.values()].every((room) => room.isCaughtUp);
        return isListed && isCaughtUp ? "connected" : "catching_up";
      }
    }
  }
}

function closed(): StoaError {
  return new StoaError({ code: "closed", message: "the client was closed" });
}
