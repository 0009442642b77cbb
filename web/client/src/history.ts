// What of a room's messages is loaded: the newest ones, and, when somebody looks at a place far from them, those around
// that place, until the two meet.
import { change, targetOf } from "./fold.ts";
import type { Entry } from "./outbox.ts";
import type { Message, Reply, RoomEvent, Seq, UserId } from "./protocol.ts";
import { type Page, Stretch } from "./stretch.ts";
import { overlay, type ShownMessage } from "./view.ts";

/** Messages beside the timeline that are kept: what is quoted, and what is pinned. */
const BESIDE = 200;

export interface HistoryHost {
  /** Asks for a page of messages. */
  ask(page: Page, thread: Seq | undefined, limit: number): Promise<Reply>;
  me(): UserId | undefined;
  lane(): readonly Entry[];
  /** The first message of the thread that a reply is in, while the thread is followed. */
  threadOf(reply: Seq): Seq | undefined;
  changed(): void;
}

export class History {
  readonly live = new Stretch();
  #place: Stretch | undefined;
  /** What is loaded to be shown. */
  #coming: Stretch | undefined;
  #beside: ReadonlyMap<Seq, Message> = new Map();
  readonly #asked = new Set<Seq>();
  readonly #host: HistoryHost;
  readonly #shown: Shown;

  constructor(host: HistoryHost) {
    this.#host = host;
    this.#shown = new Shown(host);
  }

  /** Counts how often `messages` became others altogether. */
  view = 0;

  /** What is looked at. */
  get stretch(): Stretch {
    return this.#place ?? this.live;
  }

  get messages(): readonly ShownMessage[] {
    return this.#shown.of(this.stretch);
  }

  get beside(): ReadonlyMap<Seq, Message> {
    return this.#beside;
  }

  replace(messages: readonly Message[], more: boolean): void {
    this.#place = undefined;
    this.#coming = undefined;
    this.#beside = new Map();
    this.#asked.clear();
    this.live.replace(messages, more);
    this.view += 1;
  }

  keep(newest: number): void {
    this.#coming = undefined;
    this.#place = undefined;
    this.view += 1;
    if (this.live.timeline.keep(newest)) this.live.moreBefore = true;
  }

  apply(event: RoomEvent): void {
    const me = this.#host.me();
    this.live.apply(event, me);
    this.#place?.apply(event, me);
    this.#coming?.apply(event, me);
    const target = targetOf(event);
    const known = target === undefined ? undefined : this.#beside.get(target);
    if (known) this.#beside = new Map(this.#beside).set(known.seq, change(known, event, me));
  }

  async older(limit: number): Promise<boolean> {
    const { stretch } = this;
    if (stretch.moreBefore) await this.#load(stretch, "before", limit);
    return this.stretch.moreBefore;
  }

  async newer(limit: number): Promise<boolean> {
    const { stretch } = this;
    if (stretch.moreAfter) await this.#load(stretch, "after", limit);
    return this.stretch.moreAfter;
  }

  /** Shows what is around a message; `false` when it is not among what may be read outside threads. */
  async goTo(seq: Seq, limit: number): Promise<boolean> {
    if (this.stretch.timeline.find(seq)) return true;
    if (this.live.timeline.find(seq)) {
      this.toNewest();
      return true;
    }
    const place = new Stretch();
    this.#coming = place;
    try {
      const isLoaded = await this.#load(place, { around: seq }, limit);
      // Somebody wants to be elsewhere meanwhile.
      if (!isLoaded || this.#coming !== place) return false;
      if (place.timeline.oldest === undefined) return false;
      const isAtLive = this.#place === undefined;
      this.#place = place;
      this.#join(place);
      // Older messages that reach what is shown are only more of it.
      if (!isAtLive || this.#place) this.view += 1;
      return this.stretch.timeline.find(seq) !== undefined;
    } finally {
      if (this.#coming === place) this.#coming = undefined;
      this.#host.changed();
    }
  }

  toNewest(): void {
    this.#coming = undefined;
    if (!this.#place) return;
    this.#place = undefined;
    this.view += 1;
    this.#host.changed();
  }

  /** Gets one message beside the timeline, once; it comes with `beside`. */
  async look(seq: Seq, thread?: Seq): Promise<void> {
    if (this.#asked.has(seq) || this.#beside.has(seq)) return;
    if (this.#asked.size >= BESIDE) {
      this.#asked.clear();
      this.#beside = new Map();
    }
    this.#asked.add(seq);
    const reply = await this.#host.ask({ around: seq }, thread, 1).catch(() => undefined);
    const message = reply?.kind === "messages" ? reply.messages.find((each) => each.seq === seq) : undefined;
    if (!message || !this.#asked.has(seq)) return;
    this.#beside = new Map(this.#beside).set(seq, message);
    this.#host.changed();
  }

  async #load(stretch: Stretch, end: Parameters<Stretch["load"]>[0], limit: number): Promise<boolean> {
    if (stretch.loading) return false;
    const loading = stretch.load(end, (page) => this.#host.ask(page, undefined, limit), this.#host.me);
    this.#host.changed();
    try {
      const isTaken = await loading;
      if (isTaken && stretch === this.#place) this.#join(stretch);
      return isTaken;
    } finally {
      this.#host.changed();
    }
  }

  /** Two stretches that meet are one. */
  #join(place: Stretch): void {
    const { live } = this;
    const meets = (place.timeline.newest ?? 0) >= (live.timeline.oldest ?? Number.POSITIVE_INFINITY);
    if (place.moreAfter && !meets) return;
    const reachesBack = (place.timeline.oldest ?? Number.POSITIVE_INFINITY) < (live.timeline.oldest ?? 0);
    live.timeline.merge(place.timeline.all);
    if (reachesBack || live.timeline.oldest === place.timeline.oldest) live.moreBefore = place.moreBefore;
    this.#place = undefined;
  }
}

/** A stretch with the reader's own commands over it: the same array until one of the two changes. */
export class Shown {
  readonly #host: Pick<HistoryHost, "lane" | "me" | "threadOf">;
  #stretch: Stretch | undefined;
  #version = -1;
  #plain: readonly Message[] = [];
  #lane: readonly Entry[] = [];
  #shown: readonly ShownMessage[] = [];

  constructor(host: Pick<HistoryHost, "lane" | "me" | "threadOf">) {
    this.#host = host;
  }

  of(stretch: Stretch): readonly ShownMessage[] {
    const { timeline } = stretch;
    const isSame = stretch === this.#stretch && timeline.version === this.#version;
    // The entries of a lane change in place, but only what kind of command they are matters here.
    const lane = this.#host.lane();
    const isSameLane = lane.length === this.#lane.length && lane.every((entry, index) => entry === this.#lane[index]);
    if (isSame && isSameLane) return this.#shown;
    if (!isSame) this.#plain = [...timeline.all];
    this.#stretch = stretch;
    this.#version = timeline.version;
    this.#lane = [...lane];
    this.#shown = overlay(this.#plain, lane, this.#host.me(), (seq) => this.#host.threadOf(seq));
    return this.#shown;
  }
}
