// What a list of messages shows, row by row. Pure.
import type { Member, PendingMessage, RoomEvent, ShownMessage } from "@stoa/client";
import { dayOf } from "../time.ts";

/** What happened in the room; people who came one after the other are told in one row. */
export interface Note {
  seq: number;
  at: number;
  events: RoomEvent[];
}

export type Row =
  | { kind: "intro"; key: string }
  | { kind: "day"; key: string; day: number }
  | { kind: "unread"; key: string }
  | { kind: "note"; key: string; note: Note }
  | { kind: "replies"; key: string; count: number }
  | { kind: "message"; key: string; message: ShownMessage; isFirst: boolean }
  | { kind: "pending"; key: string; pending: PendingMessage; isFirst: boolean };

/** Messages of one person within this time stand together under one name. */
const TOGETHER_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

export interface Source {
  messages: readonly ShownMessage[];
  pending: readonly PendingMessage[];
  /** In the order of their places. */
  notes: readonly Note[];
  /** The place above which a line is drawn, `undefined` for none. */
  unreadAfter: number | undefined;
  /** Whose the pending ones are. */
  me: string | undefined;
  /** Whether nothing older exists. */
  isWhole: boolean;
}

export const keyOf = (seq: number) => `m-${seq}`;

export function rowsOf({ messages, pending, notes, unreadAfter, me, isWhole }: Source): Row[] {
  const rows: Row[] = isWhole ? [{ kind: "intro", key: "intro" }] : [];
  const group = new Grouping(rows);
  let isMarked = unreadAfter === undefined;
  let next = 0;
  for (const message of messages) {
    for (; next < notes.length && (notes[next] as Note).seq < message.seq; next += 1)
      addNote(notes[next] as Note, group);
    group.begin(message.at);
    if (!isMarked && message.seq > (unreadAfter ?? 0) && message.from !== me) {
      isMarked = true;
      rows.push({ kind: "unread", key: "unread" });
      group.end();
    }
    const isApart = message.announcement === true || message.reply_to !== undefined;
    rows.push({
      kind: "message",
      key: keyOf(message.seq),
      message,
      isFirst: group.isFirst(message.from, message.at, isApart),
    });
    if (message.announcement) group.end();
  }
  for (; next < notes.length; next += 1) addNote(notes[next] as Note, group);
  for (const each of pending) {
    group.begin(each.at);
    const isApart = each.reply_to !== undefined || each.announcement === true;
    rows.push({ kind: "pending", key: each.key, pending: each, isFirst: group.isFirst(me, each.at, isApart) });
  }
  return rows;
}

/** A thread: the message it hangs below, and its replies. */
export function threadRowsOf(root: ShownMessage | undefined, source: Omit<Source, "notes" | "unreadAfter">): Row[] {
  const { messages, pending, me, isWhole } = source;
  const replies = rowsOf({ messages, pending, notes: [], unreadAfter: undefined, me, isWhole: false });
  const top: Row[] = root && isWhole ? [{ kind: "message", key: keyOf(root.seq), message: root, isFirst: true }] : [];
  if (isWhole) top.push({ kind: "replies", key: "replies", count: messages.length + pending.length });
  return [...top, ...replies.filter(({ kind }) => kind !== "day")];
}

/** Keeps the name and the day that were told last. */
class Grouping {
  readonly rows: Row[];
  #from = 0;
  #until = 0;
  #day: number | undefined;
  #before: { from: string | undefined; at: number } | undefined;

  constructor(rows: Row[]) {
    this.rows = rows;
  }

  begin(at: number): void {
    if (at >= this.#from && at < this.#until) return;
    const day = dayOf(at);
    this.#from = day;
    // At least 23 hours long; what falls into the rest is looked at again.
    this.#until = day + DAY_MS - 3_600_000;
    if (day === this.#day) return;
    this.#day = day;
    this.rows.push({ kind: "day", key: `day-${day}`, day });
    this.#before = undefined;
  }

  isFirst(from: string | undefined, at: number, isApart: boolean): boolean {
    const before = this.#before;
    const first = isApart || !before || before.from !== from || at - before.at > TOGETHER_MS;
    this.#before = { from, at };
    return first;
  }

  end(): void {
    this.#before = undefined;
  }
}

function addNote(note: Note, group: Grouping): void {
  group.begin(note.at);
  const last = group.rows.at(-1);
  const [event] = note.events;
  group.end();
  if (event?.type === "member.joined" && last?.kind === "note" && last.note.events[0]?.type === "member.joined") {
    last.note.events.push(event);
    return;
  }
  group.rows.push({ kind: "note", key: `n-${note.seq}`, note: { ...note, events: [...note.events] } });
}

interface NoteSource {
  notes: readonly RoomEvent[];
  members: readonly Member[];
  room: string;
  /** Places between which notes are told. */
  after: number;
  before: number;
}

/** What happened since the room was opened, and when its members came. */
export function notesOf({ notes, members, room, after, before }: NoteSource): Note[] {
  const bySeq = new Map<number, RoomEvent>();
  for (const { user, role, joined_seq: seq, joined_at: at } of members) {
    bySeq.set(seq, { type: "member.joined", room, seq, at, from: user, user, role });
  }
  for (const event of notes) bySeq.set(event.seq, event);
  return [...bySeq.values()]
    .filter(({ seq, type }) => seq > after && seq < before && type !== "room.created")
    .sort((a, b) => a.seq - b.seq)
    .map((event) => ({ seq: event.seq, at: event.at, events: [event] }));
}

/** The message at a place, in a list that is in order. */
export function findMessage(messages: readonly ShownMessage[], seq: number): ShownMessage | undefined {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((messages[middle] as ShownMessage).seq < seq) low = middle + 1;
    else high = middle;
  }
  return messages[low]?.seq === seq ? messages[low] : undefined;
}
