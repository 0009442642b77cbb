// One thread of a room: the messages below one, loaded by pages, and kept true by the room's events.
import { Emitter } from "./emitter.ts";
import { StoaError } from "./errors.ts";
import { type HistoryHost, Shown } from "./history.ts";
import type { RoomEvent, Seq } from "./protocol.ts";
import { Stretch } from "./stretch.ts";
import type { ShownMessage } from "./view.ts";

const PAGE = 50;

export interface ThreadState {
  /** The message that it hangs below. */
  root: Seq;
  /** `loading` has nothing yet; `failed` says why in `fault`. */
  phase: "loading" | "open" | "failed";
  fault?: StoaError;
  /** Oldest first, without the first message. */
  messages: readonly ShownMessage[];
  /** Whether there are older or newer ones; `loadOlder` and `loadNewer` get them. */
  more: boolean;
  moreAfter: boolean;
  loading: boolean;
  /** Another number when `messages` became others altogether. */
  view: number;
}

export interface ThreadEvents {
  change: ThreadState;
}

export class Thread extends Emitter<ThreadEvents> {
  readonly root: Seq;
  readonly #host: HistoryHost;
  readonly #followers: Set<Thread>;
  readonly #shown: Shown;
  #stretch: Stretch;
  /** A stretch that is being loaded, and not shown before it is. */
  #pending: Stretch | undefined;
  #fault: StoaError | undefined;
  #isLoaded = false;
  #view = 0;
  #state: ThreadState | undefined;

  constructor(root: Seq, host: HistoryHost, followers: Set<Thread>) {
    super();
    this.root = root;
    this.#host = host;
    this.#followers = followers;
    this.follow();
    this.#shown = new Shown(host);
    this.#stretch = new Stretch(root);
  }

  /** The same object until something changes. */
  get state(): ThreadState {
    this.#state ??= {
      root: this.root,
      phase: this.#fault ? "failed" : this.#isLoaded ? "open" : "loading",
      fault: this.#fault,
      messages: this.#shown.of(this.#stretch),
      more: this.#stretch.moreBefore,
      moreAfter: this.#stretch.moreAfter,
      loading: this.#stretch.loading !== undefined,
      view: this.#view,
    };
    return this.#state;
  }

  /** Loads the newest, or what is around `at`. */
  async load(at?: Seq): Promise<void> {
    const stretch = new Stretch(this.root);
    // Nothing is here yet, so "after" asks for the newest.
    await this.#get(stretch, at === undefined ? "after" : { around: at }, () => {
      this.#stretch = stretch;
      this.#view += 1;
      this.#isLoaded = true;
      this.#fault = undefined;
    });
  }

  async loadOlder(): Promise<void> {
    if (this.#stretch.moreBefore) await this.#get(this.#stretch, "before");
  }

  async loadNewer(): Promise<void> {
    if (this.#stretch.moreAfter) await this.#get(this.#stretch, "after");
  }

  /** Follows the room again, after `close`; what was missed comes with `load`. */
  follow(): void {
    this.#followers.add(this);
  }

  /** It is not followed any more. */
  close(): void {
    this.#followers.delete(this);
  }

  /** Whether this reply is loaded, and not deleted. */
  holds(seq: Seq): boolean {
    const reply = this.#stretch.timeline.find(seq);
    return reply !== undefined && !reply.deleted;
  }

  apply(event: RoomEvent): void {
    this.#stretch.apply(event, this.#host.me());
    this.#pending?.apply(event, this.#host.me());
    this.touched();
  }

  /** Something that lies over the messages changed. */
  touched(): void {
    this.#state = undefined;
    this.emitSoon("change", () => this.state);
  }

  async #get(stretch: Stretch, end: Parameters<Stretch["load"]>[0], taken = () => {}): Promise<void> {
    if (stretch !== this.#stretch) this.#pending = stretch;
    const isFirst = stretch === this.#pending;
    const loading = stretch.load(end, (page) => this.#host.ask(page, this.root, PAGE), this.#host.me);
    this.touched();
    try {
      if ((await loading) && (!isFirst || this.#pending === stretch)) taken();
    } catch (error) {
      // What is shown already stays.
      if (!this.#isLoaded) this.#fault = error instanceof StoaError ? error : undefined;
    } finally {
      if (this.#pending === stretch) this.#pending = undefined;
      this.touched();
    }
  }
}
