// What a room shows, and how what is on its way lies over what is committed.

import type { CallDirected } from "./call/fold.ts";
import { change } from "./fold.ts";
import type { Durable, Entry, EntryStatus } from "./outbox.ts";
import type {
  AccessView,
  CallNow,
  Data,
  Fault,
  Key,
  Member,
  Message,
  Name,
  Presence,
  RoomEvent,
  RoomId,
  RoomInfo,
  Seq,
  UserId,
} from "./protocol.ts";

/** A message as it is shown: `pending` when a change of the reader's own is on its way. */
export type ShownMessage = Message & { pending?: true };

/** A message of the reader's own that is not in the log yet. */
export interface PendingMessage {
  key: Key;
  text: string;
  reply_to?: Seq;
  thread?: Seq;
  mentions?: UserId[];
  mention_all?: boolean;
  announcement?: boolean;
  data?: Data;
  /** When it was written, by this device's clock. */
  at: number;
  status: EntryStatus;
  /** Why it was refused. */
  fault?: Fault;
}

/** Everything that a view of a room needs. A new object after each change, never changed in place. */
export interface RoomState {
  room: RoomId;
  /** `closed` was not asked for; `opening` has no state yet; `open` has; `refused` says why in `fault`. */
  phase: "closed" | "opening" | "open" | "refused";
  fault?: Fault;
  /** Whether events that happened before the connection are still on their way. */
  catchingUp: boolean;
  info?: RoomInfo;
  access?: AccessView;
  /** Oldest first. */
  messages: readonly ShownMessage[];
  /** The reader's own that are not committed, oldest first; they belong below the messages. */
  pending: readonly PendingMessage[];
  /** Whether there are older messages; `loadOlder` gets them. */
  more: boolean;
  loadingOlder: boolean;
  /** Whether `messages` are around a place and do not reach the newest; `loadNewer` and `toNewest` get there. */
  moreAfter: boolean;
  /** Another number when `messages` became others altogether, and did not only grow or change. */
  view: number;
  /** The newest message outside threads that is here, shown or not; 0 without any. */
  newest: Seq;
  /** Messages that were looked at singly (`look`), by their place. */
  beside: ReadonlyMap<Seq, Message>;
  /** What happened to members, record and pins since the room was opened, oldest first; the newest hundred. */
  notes: readonly RoomEvent[];
  pins: readonly Seq[];
  /** The call that runs in the room. */
  call?: CallNow;
  memberCount: number;
  /** All members, in rooms up to 200. */
  members: readonly Member[];
  /** How many people are here. */
  online: number;
  /** Who is here, and who was, in rooms up to 200. */
  presence: ReadonlyMap<UserId, Presence>;
  typing: { users: readonly UserId[]; count: number };
  /** Up to where the others have read, in rooms up to 200. */
  read: ReadonlyMap<UserId, Seq>;
  /** Up to where the reader has read. */
  readSeq: Seq;
  /** The last event that was applied. */
  seq: Seq;
}

export interface RoomEvents {
  /** Something in `state` changed. */
  change: RoomState;
  /** A durable event was applied, each once and in order. */
  event: RoomEvent;
  /** What the other end of one of the user's links in a call says. */
  signal: CallDirected;
  /** A passing event of the host application. */
  app: { from: UserId; name: Name; data?: Data };
  /** A command of the reader's own was refused. */
  refused: { command: Durable; fault: Fault };
}

export interface SendOptions {
  reply_to?: Seq;
  thread?: Seq;
  mentions?: UserId[];
  mention_all?: boolean;
  announcement?: boolean;
  data?: Data;
}

/** The messages of the reader's own in a lane that no event shows. */
export function pending({ frame, at, status, fault, claimed }: Entry): PendingMessage[] {
  if (frame.type !== "chat.send" || claimed !== undefined) return [];
  const { key, text, reply_to, thread, mentions, mention_all, announcement, data } = frame;
  return [{ key, text, reply_to, thread, mentions, mention_all, announcement, data, at, status, fault }];
}

const FACTS: Partial<Record<Durable["type"], RoomEvent["type"]>> = {
  "chat.edit": "chat.edited",
  "chat.delete": "chat.deleted",
  "chat.react": "chat.reacted",
  "chat.pin": "chat.pinned",
};

/** The messages as they will be when the reader's own commands are committed. */
export function overlay(
  messages: readonly Message[],
  lane: readonly Entry[],
  me: UserId | undefined,
  threadOf: (reply: Seq) => Seq | undefined,
): readonly ShownMessage[] {
  if (!lane.some(({ frame }) => FACTS[frame.type])) return messages;
  const shown: ShownMessage[] = [...messages];
  for (const { frame, at } of lane) {
    const type = FACTS[frame.type];
    if (!type || !("target" in frame)) continue;
    const index = shown.findLastIndex((message) => message.seq === frame.target);
    const message = shown[index];
    if (message) shown[index] = { ...change(message, { ...frame, type, from: me, at }, me), pending: true };
    else if (frame.type === "chat.delete") fewerReplies(shown, threadOf(frame.target));
  }
  return shown;
}

/** A reply is gone: the message above its thread says so. */
function fewerReplies(shown: ShownMessage[], root: Seq | undefined): void {
  const index = shown.findLastIndex((message) => message.seq === root);
  const message = shown[index];
  if (message) shown[index] = { ...message, replies: Math.max(0, (message.replies ?? 0) - 1) };
}
