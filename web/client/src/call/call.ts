// A room's call as one client takes part in it. The room folds the call's events; this keeps one connection per link of
// the own session, says what is sent, and comes back by itself after whatever was not the user's own word.
import { Timers } from "../clock.ts";
import { Emitter } from "../emitter.ts";
import { StoaError } from "../errors.ts";
import { onLeaving, onNetwork } from "../network.ts";
import type { Query } from "../options.ts";
import type {
  CallLink,
  CallMedia,
  CallNow,
  CallReply,
  ErrorCode,
  IceServers,
  LinkReport,
  MuteState,
  RoomEvent,
  Seq,
  SessionId,
  Track,
  TrackId,
  TrackSource,
  UserId,
} from "../protocol.ts";
import type { Room } from "../room.ts";
import { Ears, type Other } from "./ears.ts";
import { type CallDirected, farEnd } from "./fold.ts";
import { LocalMedia } from "./media.ts";
import { type Outgoing, Peer, type PeerConnectionClass } from "./peer.ts";
import type { CallEvents, CallOver, CallParticipant, CallState, ShownTrack } from "./state.ts";
import { type Counters, count, reportBetween, statsOf } from "./stats.ts";

export interface CallOptions {
  /** The user's devices; the call makes its own otherwise, and closes them with itself. */
  media?: LocalMedia;
  /** Another RTCPeerConnection than the platform's. */
  RTCPeerConnection?: PeerConnectionClass;
  /** `relay` sends everything over TURN, for tests and for those who hide their address. */
  iceTransportPolicy?: RTCIceTransportPolicy;
}

export interface StartOptions {
  /** What the call is about, for those whose devices ring. */
  media?: CallMedia;
  ring?: UserId[];
  ring_all?: boolean;
  /** Begins with a lobby; for those who moderate. */
  lobby?: boolean;
}

const REPORT_MS = 15_000;
/** New lives of one link in a row are this far apart at first, twice as far each time. */
const RELINK_MS = 1_000;
const RELINK_MOST_MS = 30_000;
/** Joins by itself in a row, before it is the user's turn. */
const MOST_REJOINS = 5;
const ICE_LEAST_MS = 10_000;

const SOURCES: readonly TrackSource[] = ["microphone", "camera", "screen", "screen_audio"];

export class Call extends Emitter<CallEvents> {
  readonly room: Room;
  readonly media: LocalMedia;
  readonly #options: CallOptions;
  readonly #timers: Timers;
  readonly #stops: (() => void)[];
  readonly #peers = new Map<string, Peer>();
  /** The tracks' names are the user's own for as long as this object lives, whatever device is behind them. */
  readonly #names: ReadonlyMap<TrackSource, TrackId>;
  readonly #relinks = new Map<string, { tries: number; last: number }>();
  readonly #counters = new Map<string, Counters>();
  readonly #reports = new Map<string, LinkReport>();
  readonly #ears: Ears;
  #phase: CallState["phase"] = "out";
  #over: CallOver | undefined;
  /** The call that this client is in, or waits for. */
  #call: Seq | undefined;
  /** The session that is in it. */
  #session: SessionId | undefined;
  #ice: IceServers = { servers: [] };
  #isOnline = false;
  #attempt = 0;
  #rejoins = 0;
  #told = "";
  #state: CallState | undefined;

  constructor(room: Room, options: CallOptions = {}) {
    super();
    this.room = room;
    this.#options = options;
    this.media = options.media ?? new LocalMedia();
    this.#timers = new Timers(room.host.clock);
    this.#names = new Map(
      SOURCES.map((source) => [source, `${source.slice(0, 3)}-${room.host.newKey().slice(0, 12)}`]),
    );
    this.#stops = [
      room.on("change", () => this.#sync()),
      room.on("event", (event) => this.#event(event)),
      room.on("signal", (frame) => this.#signal(frame)),
      this.media.on("change", () => this.#sent()),
      onNetwork(() => this.#restart()),
      onLeaving(() => this.#leaving()),
    ];
    this.#ears = new Ears({
      clock: room.host.clock,
      others: () => this.#others(),
      own: () => (this.media.state.microphone ? this.#session : undefined),
      changed: () => this.#changed(),
    });
    this.#isOnline = this.#canSpeak;
  }

  get state(): CallState {
    this.#state ??= this.#build();
    return this.#state;
  }

  /** Starts a call, or joins the one that runs. What was switched on in `media` before is sent from the start. */
  async join(options: StartOptions = {}): Promise<void> {
    if (this.#phase !== "out") return;
    this.#rejoins = 0;
    this.#phase = "joining";
    this.#over = undefined;
    this.#changed();
    await this.#join(this.room.state.call?.call, options);
  }

  /** Leaves, now, also when the server cannot be reached. */
  async leave(): Promise<void> {
    const call = this.#call ?? this.room.state.call?.call;
    if (this.#phase === "out") return;
    this.#end("left");
    this.media.release();
    if (call !== undefined) await this.#ask({ type: "call.leave", call });
  }

  /** Ends the call for everybody. */
  async end(): Promise<void> {
    const call = this.room.state.call?.call;
    if (call === undefined) return;
    this.#end("ended");
    this.media.release();
    await this.#ask({ type: "call.end", call });
  }

  /** Silences the ringing on all devices. */
  decline(call: Seq): Promise<void> {
    return this.#ask({ type: "call.decline", call });
  }

  ring(users: UserId[]): Promise<void> {
    return this.#about({ type: "call.ring", users });
  }

  /** Mutes people, or lets them unmute again; everybody who does not moderate when nobody is named. */
  mute(users: UserId[] | undefined, source: TrackSource, state: MuteState): Promise<void> {
    return this.#about({ type: "call.mute", users, source, state });
  }

  remove(user: UserId): Promise<void> {
    return this.#about({ type: "call.remove", user });
  }

  admit(user: UserId): Promise<void> {
    return this.#about({ type: "call.admit", user });
  }

  refuse(user: UserId): Promise<void> {
    return this.#about({ type: "call.refuse", user });
  }

  update(change: { locked?: boolean; lobby?: boolean }): Promise<void> {
    return this.#about({ type: "call.update", ...change });
  }

  /** Raises or lowers a hand; another's is lowered by those who moderate. */
  async hand(on: boolean, session?: SessionId): Promise<void> {
    const call = this.#call;
    if (call === undefined) return;
    await this.room.client.ask({ type: "call.hand", room: this.room.id, call, on, session });
  }

  /** Statistics of every link, for whoever wants to look closer. */
  async stats(): Promise<ReadonlyMap<string, Counters>> {
    const all = [...this.#peers].map(async ([link, { pc }]) => {
      return [link, count(await statsOf(pc), this.room.host.clock.now())] as const;
    });
    return new Map(await Promise.all(all));
  }

  /** Ends this object: leaves, closes connections and timers, and the devices unless they were given. */
  close(): void {
    void this.leave().catch(() => {});
    for (const stop of this.#stops) stop();
    this.#timers.end();
    this.#ears.close();
    if (!this.#options.media) this.media.close();
    this.silence();
  }

  get #canSpeak(): boolean {
    return this.room.host.isOpen() && this.room.isReady;
  }

  async #join(call: Seq | undefined, options: StartOptions): Promise<void> {
    this.#attempt += 1;
    const attempt = this.#attempt;
    const { room } = this;
    const key = room.host.newKey();
    const frame: Query =
      call === undefined
        ? { type: "call.start", room: room.id, key, ...options }
        : { type: "call.join", room: room.id, key, call };
    try {
      const reply = await room.client.query(frame);
      if (attempt === this.#attempt && reply.kind === "call") this.#joined(reply);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      const code = codeOf(error);
      this.#end(code === "call_full" ? "full" : (code ?? "internal"));
      throw error;
    }
  }

  #joined({ place, call, ice }: CallReply): void {
    this.room.takeCall(call);
    if (ice) this.#setIce(ice);
    if (place === "out" || !call) return this.#rejoin();
    this.#call = call.call;
    this.#session = this.room.host.session();
    this.#phase = place;
    this.#told = "";
    if (place === "in") {
      this.#rejoins = 0;
      this.#timers.set("report", REPORT_MS, () => void this.#report());
      this.#ears.open();
    }
    this.#sent();
    this.#sync();
  }

  /** The session is in the call no more, and nobody meant it to be so. */
  #rejoin(): void {
    this.#rejoins += 1;
    if (this.#rejoins > MOST_REJOINS) return this.#end("lost");
    for (const link of [...this.#peers.keys()]) this.#drop(link);
    this.#phase = "joining";
    this.#changed();
    this.#join(this.room.state.call?.call ?? this.#call, {}).catch(() => {});
  }

  #end(over: CallOver): void {
    this.#attempt += 1;
    for (const link of [...this.#peers.keys()]) this.#drop(link);
    for (const timer of ["report", "ice"]) this.#timers.clear(timer);
    this.#relinks.clear();
    this.#ears.close();
    this.#phase = "out";
    this.#over = over;
    this.#call = undefined;
    this.#session = undefined;
    this.#changed();
  }

  /** Makes the connections what the call says, and notices what happened while nobody listened. */
  #sync(): void {
    const isOnline = this.#canSpeak;
    const isBack = isOnline && !this.#isOnline;
    this.#isOnline = isOnline;
    this.#changed();
    if (this.#phase !== "in" && this.#phase !== "waiting") return;
    const { phase, call } = this.room.state;
    if (phase === "refused") return this.#gone("rights");
    if (phase !== "open") return;
    if (call?.call !== this.#call) return this.#gone("ended");
    if (this.#phase === "waiting") {
      if (isBack) this.#rejoin();
      return;
    }
    const isIn = call?.participants.some(({ session }) => session === this.#session) ?? false;
    if (isOnline && (!isIn || this.room.host.session() !== this.#session)) return this.#rejoin();
    this.#link(call?.links ?? []);
    if (isBack) {
      this.#told = "";
      this.#sent();
      for (const peer of this.#peers.values()) peer.resume();
    }
  }

  #gone(over: CallOver): void {
    this.#end(over);
    this.media.release();
  }

  #link(links: readonly CallLink[]): void {
    for (const link of this.#peers.keys()) if (!links.some((other) => other.link === link)) this.#drop(link);
    for (const link of links) {
      const known = this.#peers.get(link.link);
      if (known && known.link.epoch >= link.epoch) continue;
      if (known) this.#drop(link.link);
      this.#peers.set(link.link, this.#peer(link));
    }
  }

  #peer(link: CallLink): Peer {
    const RTCPeerConnection = this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    const isPolite = link.polite.kind === "session" && link.polite.session === this.#session;
    const { host, id: room } = this.room;
    const named = { room, call: this.#call, link: link.link, epoch: link.epoch };
    return new Peer(link, isPolite, this.#outgoing(), {
      clock: host.clock,
      RTCPeerConnection,
      iceServers: this.#ice.servers,
      iceTransportPolicy: this.#options.iceTransportPolicy ?? "all",
      isOpen: () => this.#canSpeak,
      say: (n, signal, refused) =>
        host.call({ type: "call.signal", ...named, n, signal }, (outcome) => {
          if (outcome !== "lost" && "fault" in outcome) refused(outcome.fault);
        }),
      confirm: (n) => void host.tell({ type: "call.confirm", ...named, n }),
      relink: () => this.#relink(link, "failed"),
      refused: () => this.#relink(link, "refused"),
      changed: () => {
        if (this.#peers.get(link.link)?.connection === "connected") this.#relinks.delete(link.link);
        this.#changed();
      },
    });
  }

  #drop(link: string): void {
    this.#peers.get(link)?.close();
    this.#peers.delete(link);
    this.#counters.delete(link);
    this.#reports.delete(link);
    this.#timers.clear(`relink ${link}`);
  }

  /** Gives a life of a link up for a new one; what fails again and again is tried more slowly. */
  #relink({ link, epoch }: CallLink, reason: CallEvents["trouble"]["reason"]): void {
    if (this.#peers.get(link)?.link.epoch !== epoch || this.#timers.has(`relink ${link}`)) return;
    const { tries, last } = this.#relinks.get(link) ?? { tries: 0, last: 0 };
    const now = this.room.host.clock.now();
    const wait = tries === 0 ? 0 : Math.min(RELINK_MS * 2 ** (tries - 1), RELINK_MOST_MS) - (now - last);
    const session = this.#session && farEnd((this.#peers.get(link) as Peer).link, this.#session);
    this.emit("trouble", { session, reason });
    this.#timers.set(`relink ${link}`, wait, () => {
      this.#relinks.set(link, { tries: tries + 1, last: this.room.host.clock.now() });
      const call = this.#call;
      if (call === undefined) return;
      this.room.client.query({ type: "call.relink", room: this.room.id, call, link, epoch }).then(
        (reply) => {
          if (reply.kind !== "link") return;
          const { epoch, polite, impolite } = reply;
          this.room.hear({ type: "call.link", room: this.room.id, call, link, epoch, polite, impolite });
          this.#sync();
        },
        // The link is another one by now, or gone; the call says which.
        () => {},
      );
    });
  }

  #signal(frame: CallDirected): void {
    // The link may have been told in the same breath.
    this.#sync();
    if (frame.call !== this.#call) return;
    const peer = this.#peers.get(frame.link);
    if (!peer || peer.link.epoch !== frame.epoch) return;
    switch (frame.type) {
      case "call.signal":
        return peer.hear(frame.n, frame.signal);
      case "call.confirmed":
        return peer.confirmed(frame.n);
      case "call.unconfirmed":
        return this.#relink(peer.link, "unconfirmed");
    }
  }

  #event(event: RoomEvent): void {
    if (this.#phase === "out" || !event.type.startsWith("call.") || !("call" in event)) return;
    if (event.call !== this.#call) return;
    const { host } = this.room;
    switch (event.type) {
      case "call.left":
        if (event.session !== this.#session) return;
        // Lost is nobody's word: the look at the participants brings it back.
        return event.reason === "lost" ? this.#sync() : this.#gone(event.reason);
      case "call.ended":
        return this.#gone(event.reason);
      case "call.admitted":
        if (event.user === host.me() && this.#phase === "waiting") this.#rejoin();
        return;
      case "call.refused":
        if (event.user === host.me() && this.#phase === "waiting") this.#gone("refused");
        return;
      case "call.muted":
        if (event.state !== "free" && event.users.includes(host.me() ?? "")) {
          this.#obey(event.source);
          this.emit("muted", { source: event.source, locked: event.state === "locked" });
        }
        return;
      default:
        return;
    }
  }

  #obey(source: TrackSource): void {
    switch (source) {
      case "microphone":
        return void this.media.setMicrophone(false);
      case "camera":
        return void this.media.setCamera(false);
      case "screen":
      case "screen_audio":
        return this.media.stopScreen();
    }
  }

  /** What is sent has changed, or may not have been told. */
  #sent(): void {
    this.#changed();
    if (this.#phase !== "in" || this.#call === undefined) return;
    const outgoing = this.#outgoing();
    for (const peer of this.#peers.values()) peer.send(outgoing);
    const { tracks: open, microphone } = this.media.state;
    const tracks: Track[] = [...open.keys()].map((source) => {
      const track = this.#names.get(source) as TrackId;
      return source === "microphone" && !microphone ? { track, source, muted: true } : { track, source };
    });
    const told = JSON.stringify(tracks);
    if (told === this.#told) return;
    this.#told = told;
    this.room.client.ask({ type: "call.tracks", room: this.room.id, call: this.#call, tracks }).catch((error) => {
      // Another device of the user may have been locked meanwhile: the lock holds for all.
      if (codeOf(error) === "forbidden") {
        for (const source of this.state.locked) this.#obey(source);
      }
    });
  }

  #outgoing(): Outgoing {
    const { tracks } = this.media.state;
    return new Map(
      SOURCES.map((source) => [
        source,
        { track: this.#names.get(source) as TrackId, media: tracks.get(source) ?? null },
      ]),
    );
  }

  #restart(): void {
    for (const peer of this.#peers.values()) if (peer.connection !== "connecting") peer.restart();
  }

  #setIce(ice: IceServers): void {
    this.#ice = ice;
    for (const peer of this.#peers.values()) peer.setIceServers(ice.servers);
    if (ice.refresh_at === undefined) return this.#timers.clear("ice");
    const wait = Math.max(ice.refresh_at - this.room.client.serverTime, ICE_LEAST_MS);
    this.#timers.set("ice", wait, () => {
      const call = this.#call;
      if (call === undefined) return;
      this.room.client.query({ type: "call.ice", room: this.room.id, call }).then(
        (reply) => {
          if (reply.kind === "ice" && this.#call === call) this.#setIce(reply);
        },
        () => {},
      );
    });
  }

  async #report(): Promise<void> {
    const [call, { host, id: room }] = [this.#call, this.room];
    if (call === undefined) return;
    const links: LinkReport[] = [];
    for (const [link, now] of await this.stats()) {
      if (!this.#peers.has(link)) continue;
      const before = this.#counters.get(link);
      this.#counters.set(link, now);
      const report = before && reportBetween(link, before, now);
      if (!report) continue;
      this.#reports.set(link, report);
      links.push(report);
    }
    if (this.#call !== call) return;
    this.#timers.set("report", REPORT_MS, () => void this.#report());
    if (links.length > 0) host.tell({ type: "call.report", room, call, links });
    this.#changed();
  }

  #others(): Other[] {
    const participants = this.room.state.call?.participants ?? [];
    return [...this.#peers.values()].flatMap((peer) => {
      const session = this.#session && farEnd(peer.link, this.#session);
      if (session === undefined) return [];
      const { tracks = [] } = participants.find((other) => other.session === session) ?? {};
      const voice = tracks.find(({ source, muted }) => source === "microphone" && !muted)?.track;
      return [{ session, peer, voice }];
    });
  }

  /** The page goes, for good or to be loaded anew: who does not come back soon is not to be seen for long. */
  #leaving(): void {
    const isHere = this.#phase === "in" || this.#phase === "waiting";
    if (isHere && this.#call !== undefined) {
      this.room.host.tell({ type: "call.away", room: this.room.id, call: this.#call });
    }
  }

  async #ask(frame: KeyedFrame): Promise<void> {
    const { client, host, id: room } = this.room;
    await client.ask({ room, key: host.newKey(), ...frame } as Query);
  }

  #about(frame: AboutFrame): Promise<void> {
    const call = this.#call ?? this.room.state.call?.call;
    if (call === undefined) return Promise.reject(new StoaError({ code: "not_found", message: "no call runs" }));
    return this.#ask({ ...frame, call } as KeyedFrame);
  }

  #changed(): void {
    this.#state = undefined;
    this.emitSoon("change", () => this.state);
  }

  #build(): CallState {
    const { call } = this.room.state;
    const me = this.room.host.me();
    const participants = (call?.participants ?? []).map((participant) => this.#shown(participant, call));
    const hands = participants.filter(({ hand }) => hand !== undefined);
    hands.sort((a, b) => (a.hand ?? 0) - (b.hand ?? 0) || (a.session < b.session ? -1 : 1));
    return {
      phase: this.#phase,
      over: this.#over,
      call,
      participants,
      hands: hands.map(({ session }) => session),
      speaker: this.#ears.speaker,
      locked: (call?.mute_locks ?? []).filter(({ user }) => user === me).map(({ source }) => source),
      media: this.media.state,
      isOnline: this.#isOnline,
    };
  }

  #shown(participant: CallNow["participants"][number], call: CallNow | undefined): CallParticipant {
    const { session, tracks = [] } = participant;
    const own = this.#session;
    const isMe = session === own;
    const link = own && call?.links?.find((other) => farEnd(other, own) === session);
    const peer = link ? this.#peers.get(link.link) : undefined;
    const heard = peer?.tracks;
    // Without the server media may go on: only who neither has a connection nor sends anything is seen to be gone.
    const isGone = peer?.connection === "connected" && this.room.isAway(session) && this.#ears.isStill(session);
    const locks = call?.mute_locks ?? [];
    const isLocked = (of: TrackSource) => locks.some(({ user, source }) => user === participant.user && source === of);
    const shown = tracks.map(({ track, source, muted = false }): [TrackSource, ShownTrack] => {
      // A host's word holds here, too, whatever the other's client sends.
      const media = isMe ? this.media.state.tracks.get(source) : isLocked(source) ? undefined : heard?.get(track);
      return [source, media ? { muted, media } : { muted }];
    });
    return {
      ...participant,
      isMe,
      tracks: new Map(shown),
      connection: isMe ? undefined : isGone ? "interrupted" : peer?.connection,
      isSpeaking: this.#ears.isSpeaking(session),
      report: link ? this.#reports.get(link.link) : undefined,
    };
  }
}

/** By its code, not by its class: this may be another copy of the library than the client's. */
function codeOf(error: unknown): ErrorCode | undefined {
  const code = (error as { code?: ErrorCode | "closed" } | undefined)?.code;
  return code === "closed" ? undefined : code;
}

type Bare<Frame> = Frame extends unknown ? Omit<Frame, "room" | "key"> : never;
type KeyedFrame = Bare<Extract<Query, { type: `call.${string}`; key: string; call: Seq }>>;
type AboutFrame = KeyedFrame extends infer Frame ? (Frame extends unknown ? Omit<Frame, "call"> : never) : never;
