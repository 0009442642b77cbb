// Messages without a gap between them, which grow by pages at either end while events go on.
import { change, Timeline, targetOf } from "./fold.ts";
import type { Message, Reply, RoomEvent, Seq, UserId } from "./protocol.ts";

/** Where a page begins: at an end of what is here, or around a place. */
export type Page = { before?: Seq } | { after: Seq } | { around: Seq };

/** Asks for a page. */
export type Ask = (page: Page) => Promise<Reply>;

export class Stretch {
  readonly timeline: Timeline;
  moreBefore = false;
  moreAfter = false;
  /** Which end is being asked for. */
  loading: "before" | "after" | "around" | undefined;
  /** Events about messages that came while a page was on its way: the page may be older than they are. */
  #sinceAsked: RoomEvent[] = [];
  /** Whether anything was loaded; events may have come before. */
  #isBegun = false;
  /** Counts replacements: a page of before belongs to a state that is gone. */
  #life = 0;

  /** With `thread`, the messages below that one; without, those outside threads. */
  constructor(thread?: Seq) {
    this.timeline = new Timeline(thread);
  }

  replace(messages: readonly Message[], moreBefore: boolean, moreAfter = false): void {
    this.#life += 1;
    this.#isBegun = true;
    this.loading = undefined;
    this.#sinceAsked = [];
    this.timeline.replace(messages);
    this.moreBefore = moreBefore;
    this.moreAfter = moreAfter;
  }

  apply(event: RoomEvent, me: UserId | undefined): void {
    // What is sent comes after what is still to be loaded, and will be loaded with it.
    this.timeline.apply(event, me, !this.moreAfter);
    if (this.loading) this.#sinceAsked.push(event);
  }

  /** Gets a page; `false` when it is not wanted any more. */
  async load(end: "before" | "after" | { around: Seq }, ask: Ask, me: () => UserId | undefined): Promise<boolean> {
    if (this.loading) return false;
    const life = this.#life;
    this.loading = typeof end === "string" ? end : "around";
    this.#sinceAsked = [];
    try {
      const reply = await ask(this.#page(end));
      if (reply.kind !== "messages" || life !== this.#life) return false;
      this.#take(reply, end, me());
      return true;
    } finally {
      if (life === this.#life) this.loading = undefined;
    }
  }

  #page(end: "before" | "after" | { around: Seq }): Page {
    const { oldest, newest } = this.timeline;
    if (typeof end === "object") return end;
    if (end === "before") return { before: oldest };
    return newest === undefined ? {} : { after: newest };
  }

  #take(page: Reply & { kind: "messages" }, end: "before" | "after" | { around: Seq }, me: UserId | undefined): void {
    const since = this.#sinceAsked;
    const isFirst = !this.#isBegun;
    this.#isBegun = true;
    this.timeline.merge(
      page.messages.map((message) =>
        since
          .filter((event) => targetOf(event) === message.seq)
          .reduce((now, event) => change(now, event, me), message),
      ),
    );
    // The first page tells of both ends.
    if (end !== "after" || isFirst) this.moreBefore = page.more_before;
    if (end === "before") return;
    this.moreAfter = page.more_after;
    // Nothing is missing at the end, except what was sent while the page was on its way.
    if (page.more_after) return;
    for (const event of since) {
      // A reply in a thread was counted when it came.
      if (event.type === "chat.sent" && event.thread === this.timeline.thread) this.timeline.apply(event, me);
    }
  }
}
