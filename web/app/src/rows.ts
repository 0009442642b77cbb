// What a timeline shows, row by row. Pure.
import type { PendingMessage, ShownMessage } from "@stoa/client";
import { dayOf } from "./time.ts";

export type Row =
  | { kind: "day"; key: string; day: number }
  | { kind: "unread"; key: string }
  | { kind: "message"; key: string; message: ShownMessage; isFirst: boolean }
  | { kind: "pending"; key: string; pending: PendingMessage; isFirst: boolean };

/** Messages of one person within this time stand together under one name. */
const TOGETHER_MS = 5 * 60_000;

/**
 * `unreadAfter` is the place above which a line is drawn, `undefined` for none. `me` is whose the pending ones are.
 */
export function rowsOf(
  messages: readonly ShownMessage[],
  pending: readonly PendingMessage[],
  unreadAfter: number | undefined,
  me: string | undefined,
): Row[] {
  const rows: Row[] = [];
  let day: number | undefined;
  let before: { from: string | undefined; at: number } | undefined;
  let isMarked = unreadAfter === undefined;
  const begin = (at: number) => {
    if (dayOf(at) === day) return;
    day = dayOf(at);
    rows.push({ kind: "day", key: `day-${day}`, day });
    before = undefined;
  };
  const isFirst = (from: string | undefined, at: number, isApart = false) => {
    const first = isApart || !before || before.from !== from || at - before.at > TOGETHER_MS;
    before = { from, at };
    return first;
  };
  for (const message of messages) {
    begin(message.at);
    if (!isMarked && message.seq > (unreadAfter ?? 0) && message.from !== me) {
      isMarked = true;
      rows.push({ kind: "unread", key: "unread" });
      before = undefined;
    }
    const isApart = message.announcement === true || message.reply_to !== undefined;
    rows.push({
      kind: "message",
      key: `m-${message.seq}`,
      message,
      isFirst: isFirst(message.from, message.at, isApart),
    });
  }
  for (const each of pending) {
    begin(each.at);
    rows.push({
      kind: "pending",
      key: each.key,
      pending: each,
      isFirst: isFirst(me, each.at, each.reply_to !== undefined),
    });
  }
  return rows;
}
