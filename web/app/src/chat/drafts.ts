// What was typed and not sent, per user, room and thread. It outlives the tab: nobody loses what they typed.
import { local } from "../kept.ts";

export interface Draft {
  text: string;
  /** The message that it will answer. */
  reply?: number;
  /** Other words for an old message, while they are written. */
  edit?: { seq: number; text: string; was: string };
  isAnnouncement?: boolean;
}

const EMPTY: Draft = { text: "" };

const name = (user: string, place: string) => `stoa.draft:${user}:${place}`;

export function placeOf(room: string, thread: number | undefined): string {
  return thread === undefined ? room : `${room}/${thread}`;
}

export function readDraft(user: string, place: string): Draft {
  try {
    const kept: unknown = JSON.parse(local.getItem(name(user, place)) ?? "null");
    return typeof kept === "object" && kept !== null && typeof (kept as Draft).text === "string"
      ? (kept as Draft)
      : EMPTY;
  } catch {
    return EMPTY;
  }
}

export function keepDraft(user: string, place: string, draft: Draft): void {
  const isEmpty = draft.text === "" && draft.reply === undefined && draft.edit === undefined;
  if (isEmpty) local.removeItem(name(user, place));
  else local.setItem(name(user, place), JSON.stringify(draft));
}
