// What events do to messages. Pure: a changed message is a new object, so that a view can tell by identity.
import type { Member, Message, Reaction, RoomEvent, Seq, UserId } from "./protocol.ts";

/** Users that a reaction names; the rest is a count (the server's `REACTION_USERS`). */
const NAMED = 20;

/** Messages in the order of their places, each once. */
export class Timeline {
  #messages: Message[] = [];
  /** Grows with every change, so that what is made of the messages need not be made anew without one. */
  version = 0;
  /** The thread that is held, `undefined` for what is outside of all. */
  readonly thread: Seq | undefined;

  /** With `thread`, what is sent into that thread belongs here; without, what is sent outside of all. */
  constructor(thread?: Seq) {
    this.thread = thread;
  }

  get all(): readonly Message[] {
    return this.#messages;
  }

  get oldest(): Seq | undefined {
    return this.#messages[0]?.seq;
  }

  get newest(): Seq | undefined {
    return this.#messages.at(-1)?.seq;
  }

  find(seq: Seq): Message | undefined {
    const at = this.#place(seq);
    return this.#messages[at]?.seq === seq ? this.#messages[at] : undefined;
  }

  replace(messages: readonly Message[]): void {
    this.#messages = [];
    this.version += 1;
    this.merge(messages);
  }

  /** Takes a page in; a message that is here already stays, because events have kept it up to date. */
  merge(page: readonly Message[]): void {
    this.version += 1;
    // The message above a thread comes with its pages, and is not one of its replies.
    const rows = page.filter((message) => message.seq !== this.thread);
    const first = this.#messages[0]?.seq ?? Number.POSITIVE_INFINITY;
    // A page of older ones goes in at once: one by one, each would move all the others.
    const older = rows.filter((message) => message.seq < first).sort((a, b) => a.seq - b.seq);
    this.#messages = [...older, ...this.#messages];
    for (const message of [...rows].sort((a, b) => a.seq - b.seq)) {
      const at = this.#place(message.seq);
      if (this.#messages[at]?.seq !== message.seq) this.#messages.splice(at, 0, message);
    }
  }

  /** Keeps the newest. */
  keep(newest: number): boolean {
    const isCut = this.#messages.length > newest;
    if (isCut) this.version += 1;
    if (isCut) this.#messages = this.#messages.slice(-newest);
    return isCut;
  }

  /** `takes` tells whether a new message follows what is here, or others that are not loaded. */
  apply(event: RoomEvent, me: UserId | undefined, takes = true): void {
    if (event.type === "chat.sent") return this.#sent(event, takes);
    const target = targetOf(event);
    const message = target === undefined ? undefined : this.find(target);
    if (message) this.#put(change(message, event, me));
    if (event.type === "chat.deleted") this.#count(event.thread, -1);
  }

  #sent(event: RoomEvent & { type: "chat.sent" }, takes: boolean): void {
    const { type: _, ...message } = event;
    if (message.thread === this.thread) {
      if (takes) this.merge([message]);
      return;
    }
    this.#count(message.thread, 1);
  }

  /** The answers below a message are more or fewer. */
  #count(thread: Seq | undefined, by: 1 | -1): void {
    const root = thread === undefined || thread === this.thread ? undefined : this.find(thread);
    if (root) this.#put({ ...root, replies: Math.max(0, (root.replies ?? 0) + by) });
  }

  #put(message: Message): void {
    this.#messages[this.#place(message.seq)] = message;
    this.version += 1;
  }

  /** Where `seq` is, or would be. */
  #place(seq: Seq): number {
    let low = 0;
    let high = this.#messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#messages[middle] as Message).seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The message that an event is about. */
export function targetOf(event: Pick<RoomEvent, "type"> & { target?: Seq }): Seq | undefined {
  return event.type.startsWith("chat.") ? event.target : undefined;
}

type Change = { type: string; from?: UserId; at?: number };

/** One message after one event about it. Applying the same event twice changes nothing more. */
export function change(message: Message, event: Change, me: UserId | undefined): Message {
  const fact = event as RoomEvent;
  switch (fact.type) {
    case "chat.edited":
      return { ...message, text: fact.text, mentions: fact.mentions, data: fact.data, edited_at: fact.at };
    case "chat.deleted": {
      const { data: _1, mentions: _2, attachments: _3, reactions: _4, ...rest } = message;
      return { ...rest, text: "", deleted: true, pinned: false };
    }
    case "chat.reacted":
      return { ...message, reactions: react(message.reactions ?? [], fact.emoji, fact.on, fact.from, me) };
    case "chat.pinned":
      return { ...message, pinned: fact.on };
    default:
      return message;
  }
}

function react(reactions: Reaction[], emoji: string, on: boolean, from: UserId | undefined, me: UserId | undefined) {
  if (from === undefined) return reactions;
  const old = reactions.find((reaction) => reaction.emoji === emoji) ?? { emoji, count: 0, users: [] };
  const isMine = from === me;
  const isNamed = old.users.includes(from) || (isMine && old.mine === true);
  if (on && isNamed) return reactions;
  // Somebody beyond those that are named may take theirs back; nobody else can.
  if (!on && !isNamed && old.count <= old.users.length) return reactions;
  const others = old.users.filter((user) => user !== from);
  const users = on && others.length < NAMED ? [...others, from] : others;
  const now: Reaction = { emoji, users, count: old.count + (on ? 1 : -1) };
  if (isMine ? on : old.mine) now.mine = true;
  if (!reactions.includes(old)) return on ? [...reactions, now] : reactions;
  return reactions.map((reaction) => (reaction === old ? now : reaction)).filter((reaction) => reaction.count > 0);
}

/** A member's record after it changed; another role takes own capabilities away. */
export function updated(member: Member, event: RoomEvent & { type: "member.updated" }): Member {
  const { role, muted_until, data, capabilities } = event;
  const fields = Object.entries({ role, muted_until, data, capabilities });
  const set = Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  return { ...member, ...(role ? { capabilities } : {}), ...set };
}

/** Whether an event is told between the messages, though no message. */
export function isNote(event: RoomEvent): boolean {
  const { type } = event;
  if (type === "chat.pinned" || type === "call.started" || type === "call.ended") return true;
  return type.startsWith("member.") || type.startsWith("room.");
}
