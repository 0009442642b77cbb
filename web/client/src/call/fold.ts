// The running call of a room as its events leave it. Pure: the room applies it, whoever looks at the room sees it.
import type { CallLink, CallNow, Control, Participant, RoomEvent, Seq, ServerFrame, SessionId } from "../protocol.ts";

/** What is told of a call beside the log: the newest of each is the truth. */
export type CallRetained = Extract<Control, { type: "call.state" | "call.away" | "call.link" | "call.unlinked" }>;

/** What passes between the ends of links. */
export type CallDirected = Extract<Control, { type: "call.signal" | "call.confirmed" | "call.unconfirmed" }>;

export function isRetained(frame: ServerFrame): frame is CallRetained {
  return ["call.state", "call.away", "call.link", "call.unlinked"].includes(frame.type);
}

export function isDirected(frame: ServerFrame): frame is CallDirected {
  return frame.type === "call.signal" || frame.type === "call.confirmed" || frame.type === "call.unconfirmed";
}

/** States that came before the `call.joined` of their session; more than a mesh holds. */
const EARLY_STATES = 64;

/** A call, and what was told of sessions that have not joined yet. */
export interface Folded {
  now: CallNow | undefined;
  early: ReadonlyMap<SessionId, Extract<CallRetained, { type: "call.state" }>>;
}

export const NO_CALL: Folded = { now: undefined, early: new Map() };

/** The running call as one room keeps it. */
export class RunningCall {
  #folded: Folded = NO_CALL;
  /** The event that the call came with: what stands up to it is in it. */
  #seq: Seq = 0;
  readonly #away = new Set<SessionId>();

  get now(): CallNow | undefined {
    return this.#folded.now;
  }

  /** The whole call as an answer has it; older events change it no more. */
  take(call: CallNow | undefined, seq: Seq): void {
    this.#folded = { now: call, early: call ? this.#folded.early : NO_CALL.early };
    this.#seq = Math.max(seq, this.#seq);
  }

  /** Whether a session has no connection to the server. */
  isAway(session: SessionId): boolean {
    return this.#away.has(session);
  }

  /** The next answer counts, wherever it stands: the log may have begun anew. Who is away is told again after it. */
  doubt(): void {
    this.#seq = 0;
    this.#away.clear();
  }

  apply(event: RoomEvent): void {
    if (event.type === "call.left") this.#away.delete(event.session);
    if (event.seq > this.#seq) this.#folded = applyEvent(this.#folded, event);
  }

  hear(frame: CallRetained): void {
    if (frame.type === "call.away") {
      if (frame.away) this.#away.add(frame.session);
      else this.#away.delete(frame.session);
    } else this.#folded = applyRetained(this.#folded, frame);
  }

  forget(): void {
    this.#folded = NO_CALL;
    this.doubt();
  }
}

/** The call after a durable event of the room. Events that are not of the running call change nothing. */
export function applyEvent(folded: Folded, event: RoomEvent): Folded {
  if (event.type === "call.started") {
    const { seq, at, from, media, carried, lobby, ringing } = event;
    const now = { call: seq, started_at: at, started_by: from, media, carried, lobby, ringing, participants: [] };
    return { now, early: new Map() };
  }
  const { now } = folded;
  if (!now || !event.type.startsWith("call.") || !("call" in event) || event.call !== now.call) return folded;
  if (event.type === "call.ended") return NO_CALL;
  if (event.type === "call.joined") return joined(folded, now, event);
  const next = changed(now, event);
  return next === now ? folded : { ...folded, now: next };
}

/** The call after something that no log keeps. */
export function applyRetained(folded: Folded, frame: Exclude<CallRetained, { type: "call.away" }>): Folded {
  const { now } = folded;
  if (frame.type === "call.state") return stated(folded, frame);
  if (!now || frame.call !== now.call) return folded;
  const links = now.links ?? [];
  if (frame.type === "call.unlinked") {
    return { ...folded, now: { ...now, links: links.filter(({ link }) => link !== frame.link) } };
  }
  const { link, epoch, polite, impolite } = frame;
  const known = links.find((other) => other.link === link);
  if (known && known.epoch >= epoch) return folded;
  const rest = links.filter((other) => other !== known);
  return { ...folded, now: { ...now, links: [...rest, { link, epoch, polite, impolite }] } };
}

/** The session at the other end of a link; none when it leads to the server. */
export function farEnd(link: CallLink, own: SessionId): SessionId | undefined {
  const ends = [link.polite, link.impolite];
  return ends.flatMap((end) => (end.kind === "session" && end.session !== own ? [end.session] : []))[0];
}

function joined({ early }: Folded, now: CallNow, event: RoomEvent & { type: "call.joined" }): Folded {
  const { session, user, seq, at } = event;
  const first = early.get(session);
  const state = first && first.call === now.call ? pick(first) : {};
  const participant: Participant = { version: 0, ...state, session, user, joined: seq, joined_at: at };
  const rest = new Map(early);
  rest.delete(session);
  return {
    now: {
      ...now,
      participants: [...now.participants.filter((other) => other.session !== session), participant],
      waiting: now.waiting?.filter((knock) => knock.session !== session),
      ringing: now.ringing?.filter((rung) => rung !== user),
    },
    early: rest,
  };
}

function changed(now: CallNow, event: RoomEvent): CallNow {
  switch (event.type) {
    case "call.rang":
      return { ...now, ringing: [...new Set([...(now.ringing ?? []), ...event.users])] };
    case "call.declined":
      return { ...now, ringing: now.ringing?.filter((user) => user !== event.user) };
    case "call.left":
      return {
        ...now,
        participants: now.participants.filter((other) => other.session !== event.session),
        waiting: now.waiting?.filter((knock) => knock.session !== event.session),
        links: now.links?.filter(({ polite, impolite }) => {
          return ![polite, impolite].some((end) => end.kind === "session" && end.session === event.session);
        }),
      };
    case "call.knocked": {
      const { session, user, at } = event;
      const others = now.waiting?.filter((knock) => knock.session !== session) ?? [];
      return { ...now, waiting: [...others, { session, user, at }] };
    }
    case "call.admitted":
    case "call.refused":
      return { ...now, waiting: now.waiting?.filter((knock) => knock.user !== event.user) };
    case "call.updated": {
      const { locked = now.locked, lobby = now.lobby, carried = now.carried } = event;
      return { ...now, locked, lobby, carried };
    }
    case "call.muted": {
      const { users, source, state } = event;
      const others = (now.mute_locks ?? []).filter((lock) => lock.source !== source || !users.includes(lock.user));
      // What is only muted may be unmuted: a lock that was there stays.
      if (state === "muted") return now;
      const locks = state === "locked" ? users.map((user) => ({ user, source })) : [];
      return { ...now, mute_locks: [...others, ...locks] };
    }
    default:
      return now;
  }
}

function stated(folded: Folded, frame: Extract<CallRetained, { type: "call.state" }>): Folded {
  const { now, early } = folded;
  const known = now?.call === frame.call && now.participants.find(({ session }) => session === frame.session);
  if (!now || !known) {
    if ((early.get(frame.session)?.version ?? -1) >= (frame.version ?? 0)) return folded;
    const kept = [...early].slice(-(EARLY_STATES - 1));
    return { ...folded, early: new Map([...kept, [frame.session, frame]]) };
  }
  if ((known.version ?? 0) >= (frame.version ?? 0)) return folded;
  const { session, user, joined, joined_at } = known;
  const next: Participant = { ...pick(frame), session, user, joined, joined_at };
  return { ...folded, now: { ...now, participants: now.participants.map((each) => (each === known ? next : each)) } };
}

function pick({ version, tracks, hand, verdict }: Extract<CallRetained, { type: "call.state" }>) {
  return { version, tracks, hand, verdict };
}
