// One life of one link: an RTCPeerConnection, its perfect negotiation, and the signals both ways.
//
// Descriptions are made and taken one after the other, in a chain, so no offer is ever made while one is being taken:
// whether two collide is then one look at the signaling state (W3C WebRTC, section 10.3.6).
import { type Clock, Timers } from "../clock.ts";
import type { CallLink, Fault, IceServer, Signal, TrackId, TrackSource } from "../protocol.ts";
import { AGAIN_MS, Hearings, Sayings } from "./signals.ts";

/** The part of the platform that calls need. */
export type PeerConnectionClass = new (configuration?: RTCConfiguration) => RTCPeerConnection;

/** How a link does. */
export type Connection = "connecting" | "connected" | "interrupted" | "failed";

/** What is sent, by what it shows. */
export type Outgoing = ReadonlyMap<TrackSource, { track: TrackId; media: MediaStreamTrack | null }>;

export interface PeerHost {
  clock: Clock;
  RTCPeerConnection: PeerConnectionClass;
  iceServers: readonly IceServer[];
  iceTransportPolicy: RTCIceTransportPolicy;
  /** Whether frames can be sent now. */
  isOpen(): boolean;
  say(n: number, signal: Signal, refused: (fault: Fault) => void): void;
  confirm(n: number): void;
  /** Asks for a new life of the link. */
  relink(): void;
  changed(): void;
  /** The server will not pass on what this end has to say. */
  refused(fault: Fault): void;
}

/** An interruption may pass by itself; after this ICE begins anew. */
const INTERRUPTED_MS = 3_000;
/** How long ICE may take to come back before the link is given up for a new one. */
const RESTART_MS = 10_000;
/** Enough for a face at 720p; a mesh sends it to five others. */
const CAMERA_BPS = 1_200_000;
/** Text has to be legible. */
const SCREEN_BPS = 2_500_000;

const SOURCES: readonly TrackSource[] = ["microphone", "camera", "screen", "screen_audio"];

export class Peer {
  readonly link: CallLink;
  readonly pc: RTCPeerConnection;
  connection: Connection = "connecting";
  readonly #host: PeerHost;
  readonly #isPolite: boolean;
  readonly #said: Sayings;
  readonly #heard = new Hearings();
  readonly #timers: Timers;
  #chain: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** The number of the offer that is out. */
  #offered: number | undefined;
  /** The impolite end speaks when it was spoken to: the polite one makes the first offer. */
  #mayOffer: boolean;
  #outgoing: Outgoing = new Map();
  readonly #slots = new Map<TrackSource, RTCRtpTransceiver>();
  /** The other end's tracks by section, whole in every description. */
  #incoming: Readonly<Record<string, TrackId>> = {};

  constructor(link: CallLink, isPolite: boolean, outgoing: Outgoing, host: PeerHost) {
    this.link = link;
    this.#host = host;
    this.#isPolite = isPolite;
    this.#mayOffer = isPolite;
    this.#said = new Sayings(host.clock);
    this.#timers = new Timers(host.clock);
    this.#outgoing = outgoing;
    this.pc = new host.RTCPeerConnection({
      iceServers: host.iceServers as RTCIceServer[],
      iceTransportPolicy: host.iceTransportPolicy,
      bundlePolicy: "max-bundle",
    });
    this.#listen();
    if (isPolite) {
      // Both sections stand from the start, so that switching a camera on needs no negotiation.
      this.#slot("microphone", "audio");
      this.#slot("camera", "video");
      this.#fill();
      // The platform's event would say the same later, when the page has drawn what came with the link.
      this.#do(() => this.#offer());
    }
  }

  /** What is sent from now on. Switching a track in its slot needs no negotiation; a new slot does. */
  send(outgoing: Outgoing): void {
    this.#outgoing = outgoing;
    if (!this.#isClosed) this.#fill();
  }

  /** Media of the other end by track. */
  get tracks(): ReadonlyMap<TrackId, MediaStreamTrack> {
    const tracks = new Map<TrackId, MediaStreamTrack>();
    for (const { mid, receiver, currentDirection } of this.pc.getTransceivers()) {
      const track = mid === null ? undefined : this.#incoming[mid];
      const isHeard = currentDirection === "sendrecv" || currentDirection === "recvonly";
      if (track !== undefined && isHeard) tracks.set(track, receiver.track);
    }
    return tracks;
  }

  /** What receives a track of the other end. */
  receiver(track: TrackId): RTCRtpReceiver | undefined {
    return this.pc.getTransceivers().find(({ mid }) => mid !== null && this.#incoming[mid] === track)?.receiver;
  }

  /** When something of the other end was played or shown last, by the platform's own clock; 0 before that. */
  get arrived(): number {
    const receivers = this.pc.getReceivers?.() ?? [];
    const sources = receivers.flatMap((receiver) => receiver.getSynchronizationSources?.() ?? []);
    return Math.max(0, ...sources.map(({ timestamp }) => timestamp));
  }

  /** How loud a track of the other end is, from 0 to 1. */
  loudness(track: TrackId): number {
    return this.receiver(track)?.getSynchronizationSources?.()[0]?.audioLevel ?? 0;
  }

  /** A signal of the other end, numbered. */
  hear(n: number, signal: Signal): void {
    if (this.#heard.take(n)) {
      this.#do(async () => {
        await this.#handle(n, signal);
        this.#heard.done(n);
        this.#host.confirm(this.#heard.handled);
      });
    } else if (this.#heard.handled > 0) this.#host.confirm(this.#heard.handled);
  }

  confirmed(n: number): void {
    this.#said.confirmed(n);
    this.#flush();
  }

  /** The connection to the server is there again. */
  resume(): void {
    this.#said.again();
    this.#flush();
  }

  /** A new network: the paths of the old one are gone. */
  restart(): void {
    if (this.#isClosed) return;
    this.pc.restartIce();
    if (!this.#timers.has("restart")) this.#timers.set("restart", RESTART_MS, () => this.#judge());
  }

  setIceServers(iceServers: readonly IceServer[]): void {
    if (!this.#isClosed) this.pc.setConfiguration({ ...this.pc.getConfiguration(), iceServers: [...iceServers] });
  }

  close(): void {
    this.#isClosed = true;
    this.#timers.end();
    this.pc.onnegotiationneeded = null;
    this.pc.onicecandidate = null;
    this.pc.onconnectionstatechange = null;
    this.pc.oniceconnectionstatechange = null;
    this.pc.ontrack = null;
    this.pc.close();
  }

  #listen(): void {
    this.pc.onnegotiationneeded = () => this.#do(() => this.#offer());
    this.pc.onicecandidate = ({ candidate }) => {
      // The end of candidates comes as an empty one, and then as none at all, which says nothing more.
      if (candidate) this.#say(candidateSignal(candidate));
    };
    this.pc.ontrack = () => this.#host.changed();
    this.pc.onconnectionstatechange = () => this.#connected();
    this.pc.oniceconnectionstatechange = () => this.#connected();
  }

  /** Does one thing after the other; what fails leaves the link as it is, and a look at its state follows. */
  #do(what: () => Promise<void>): void {
    this.#chain = this.#chain
      .then(() => (this.#isClosed ? undefined : what()))
      .catch((error: unknown) => {
        if (this.#isClosed) return;
        // Neither end can tell what the other has now: both begin anew.
        console.warn("stoa: a description was not taken", error);
        this.#host.relink();
      });
  }

  async #offer(): Promise<void> {
    if (!this.#mayOffer || this.pc.signalingState !== "stable" || this.#offered !== undefined) return;
    await this.pc.setLocalDescription();
    const sdp = this.pc.localDescription?.sdp;
    if (this.#isClosed || sdp === undefined) return;
    this.#offered = this.#say({ kind: "offer", sdp, tracks: this.#named() });
  }

  async #handle(n: number, signal: Signal): Promise<void> {
    switch (signal.kind) {
      case "offer":
        return this.#takeOffer(n, signal.sdp, signal.tracks ?? {});
      case "answer":
        if (signal.offer !== this.#offered) return;
        await this.pc.setRemoteDescription({ type: "answer", sdp: signal.sdp });
        this.#offered = undefined;
        this.#incoming = signal.tracks ?? {};
        this.#host.changed();
        return;
      case "candidate":
        return this.#takeCandidate(signal);
      case "dropped":
        return;
    }
  }

  async #takeOffer(n: number, sdp: string, tracks: Record<string, TrackId>): Promise<void> {
    if (this.#offered !== undefined) {
      // Offers have met: the impolite end's stands, and the polite end's is made again when this is settled.
      if (!this.#isPolite) return;
      this.#offered = undefined;
      await this.pc.setLocalDescription({ type: "rollback" });
    }
    await this.pc.setRemoteDescription({ type: "offer", sdp });
    this.#mayOffer = true;
    this.#incoming = tracks;
    this.#adopt();
    await this.pc.setLocalDescription();
    const answer = this.pc.localDescription?.sdp;
    if (this.#isClosed || answer === undefined) return;
    this.#say({ kind: "answer", offer: n, sdp: answer, tracks: this.#named() });
    this.#host.changed();
  }

  async #takeCandidate({ candidate, mid, mline, ufrag }: Signal & { kind: "candidate" }): Promise<void> {
    const remote = this.pc.remoteDescription?.sdp;
    // One of a description that was passed over is none of this connection's.
    if (remote === undefined || (ufrag !== undefined && !remote.includes(`a=ice-ufrag:${ufrag}\r\n`))) return;
    const init = { candidate, sdpMid: mid ?? null, sdpMLineIndex: mline ?? null, usernameFragment: ufrag ?? null };
    // A single path that the platform does not take is no reason to lose the others.
    await this.pc.addIceCandidate(init).catch((error: unknown) => console.debug("stoa: a candidate", error));
  }

  #say(signal: Signal): number {
    const n = this.#said.add(signal);
    this.#flush();
    return n;
  }

  #flush(): void {
    if (this.#isClosed) return;
    if (this.#host.isOpen()) {
      for (const { n, signal } of this.#said.due()) this.#host.say(n, signal, (fault) => this.#refused(fault));
    }
    if (this.#said.isSettled) this.#timers.clear("again");
    else if (!this.#timers.has("again")) this.#timers.set("again", AGAIN_MS, () => this.#flush());
  }

  #refused(fault: Fault): void {
    if (this.#isClosed) return;
    switch (fault.code) {
      case "rate_limited":
      case "overloaded":
      case "unavailable":
        this.#said.again();
        return this.#timers.set("again", fault.retry_after_ms ?? AGAIN_MS, () => this.#flush());
      // Another life of the link is on its way, or the link is gone and the call says so.
      case "conflict":
      case "not_found":
        return;
      default:
        return this.#host.refused(fault);
    }
  }

  #connected(): void {
    const states = [this.pc.connectionState, this.pc.iceConnectionState];
    if (states.includes("failed")) this.#enter("failed");
    else if (states.includes("disconnected")) this.#enter("interrupted");
    else if (this.pc.connectionState === "connected") this.#enter("connected");
    else if (this.connection !== "interrupted") this.#enter("connecting");
  }

  #enter(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    switch (connection) {
      case "connected":
        this.#timers.clear("interrupted");
        this.#timers.clear("restart");
        break;
      case "interrupted":
        this.#timers.set("interrupted", INTERRUPTED_MS, () => this.restart());
        break;
      case "failed":
        this.restart();
        break;
      case "connecting":
        break;
    }
    this.#host.changed();
  }

  /** ICE had its time. */
  #judge(): void {
    if (this.connection === "connected") return;
    // Without the server there is nobody to make a new life with; it is looked at again when there may be.
    if (this.#host.isOpen()) this.#host.relink();
    else this.#timers.set("restart", RESTART_MS, () => this.#judge());
  }

  /** Takes the sections that the other end opened for what both send, and puts into them what is sent. */
  #adopt(): void {
    for (const transceiver of this.pc.getTransceivers()) {
      if ([...this.#slots.values()].includes(transceiver) || transceiver.currentDirection === "stopped") continue;
      const source = transceiver.receiver.track.kind === "audio" ? "microphone" : "camera";
      // A section beyond the first of its kind is the other end's alone: a shared screen.
      if (this.#slots.has(source)) continue;
      transceiver.direction = "sendrecv";
      this.#slots.set(source, transceiver);
    }
    this.#fill();
  }

  #slot(source: TrackSource, kind: "audio" | "video"): RTCRtpTransceiver {
    const both = source === "microphone" || source === "camera";
    const sendEncodings = kind === "video" ? [{ maxBitrate: source === "camera" ? CAMERA_BPS : SCREEN_BPS }] : [];
    const transceiver = this.pc.addTransceiver(kind, {
      direction: both ? "sendrecv" : "sendonly",
      ...(sendEncodings.length > 0 ? { sendEncodings } : {}),
    });
    this.#slots.set(source, transceiver);
    return transceiver;
  }

  #fill(): void {
    for (const source of SOURCES) {
      const media = this.#outgoing.get(source)?.media ?? null;
      const isShared = source === "screen" || source === "screen_audio";
      let slot = this.#slots.get(source);
      // The other end has refused the section: what is sent after that needs another one.
      if (slot?.currentDirection === "stopped") {
        this.#slots.delete(source);
        slot = undefined;
      }
      // The sections of voices and faces come with the first offer, whoever makes it.
      if (!slot && isShared && media) slot = this.#slot(source, source === "screen" ? "video" : "audio");
      if (!slot) continue;
      if (isShared) slot.direction = media ? "sendonly" : "inactive";
      if (slot.sender.track !== media) {
        void slot.sender.replaceTrack(media).catch((error: unknown) => console.warn("stoa: a track", error));
      }
    }
  }

  #named(): Record<string, TrackId> {
    const named: Record<string, TrackId> = {};
    for (const [source, { mid, direction }] of this.#slots) {
      const track = this.#outgoing.get(source)?.track;
      const isSent = direction === "sendrecv" || direction === "sendonly";
      if (mid !== null && track !== undefined && isSent) named[mid] = track;
    }
    return named;
  }
}

function candidateSignal({ candidate, sdpMid, sdpMLineIndex, usernameFragment }: RTCIceCandidate): Signal {
  return {
    kind: "candidate",
    candidate,
    mid: sdpMid ?? undefined,
    mline: sdpMLineIndex ?? undefined,
    ufrag: usernameFragment ?? undefined,
  };
}
