// Who speaks, and of whom nothing comes any more: what arrives is looked at four times a second.
import { type Clock, Timers } from "../clock.ts";
import type { SessionId, TrackId } from "../protocol.ts";
import type { Peer } from "./peer.ts";
import { ownLoudness } from "./stats.ts";

const LOOK_MS = 250;
/** Above it somebody speaks: 0 is silence, 1 as loud as can be. */
const SPEAKING = 0.02;
/** Pauses between words are no end of speech. */
const PAUSE_MS = 800;
/** Sound comes fifty times a second, also of who is muted; when there was none for so long, none is sent. */
const STILL_MS = 1_000;

/** Somebody else in the call. */
export interface Other {
  session: SessionId;
  peer: Peer;
  /** Their microphone, unless it is muted. */
  voice: TrackId | undefined;
}

export interface EarsHost {
  clock: Clock;
  others(): readonly Other[];
  /** The own session, while its microphone is open. */
  own(): SessionId | undefined;
  changed(): void;
}

export class Ears {
  readonly #host: EarsHost;
  readonly #timers: Timers;
  readonly #spoke = new Map<SessionId, number>();
  /** When something of somebody was seen to arrive last. */
  readonly #came = new Map<SessionId, { stamp: number; at: number }>();
  #speaker: SessionId | undefined;
  /** Who was speaking and of whom something came, as it was told last. */
  #told = "";

  constructor(host: EarsHost) {
    this.#host = host;
    this.#timers = new Timers(host.clock);
  }

  /** Who of the others spoke last. */
  get speaker(): SessionId | undefined {
    return this.#speaker;
  }

  open(): void {
    this.#timers.set("look", LOOK_MS, () => {
      this.open();
      void this.#look();
    });
  }

  /** Hears nothing more, and forgets. */
  close(): void {
    this.#timers.end();
    this.#spoke.clear();
    this.#came.clear();
    this.#speaker = undefined;
    this.#told = "";
  }

  isSpeaking(session: SessionId): boolean {
    return this.#host.clock.now() - (this.#spoke.get(session) ?? Number.NEGATIVE_INFINITY) < PAUSE_MS;
  }

  /** Whether neither sound nor picture of somebody comes. */
  isStill(session: SessionId): boolean {
    const came = this.#came.get(session);
    return came === undefined || this.#host.clock.now() - came.at >= STILL_MS;
  }

  async #look(): Promise<void> {
    const now = this.#host.clock.now();
    const others = this.#host.others();
    for (const session of this.#came.keys()) {
      if (!others.some((other) => other.session === session)) this.#came.delete(session);
    }
    for (const { session, peer, voice } of others) {
      const stamp = peer.arrived;
      if (stamp !== (this.#came.get(session)?.stamp ?? 0)) this.#came.set(session, { stamp, at: now });
      if (voice === undefined || peer.loudness(voice) <= SPEAKING) continue;
      this.#spoke.set(session, now);
      this.#speaker = session;
    }
    const own = this.#host.own();
    if (own !== undefined && others[0] && (await ownLoudness(others[0].peer.pc)) > SPEAKING) this.#spoke.set(own, now);
    const speaking = [...this.#spoke.keys()].filter((session) => this.isSpeaking(session));
    const moving = [...this.#came.keys()].filter((session) => !this.isStill(session));
    const heard = `${speaking.join()}/${moving.join()}`;
    if (heard === this.#told) return;
    this.#told = heard;
    this.#host.changed();
  }
}
