// Which document of a room was shown last, per tab of the browser.
import { session as kept } from "../kept.ts";

const key = (room: string) => `stoa.document:${room}`;

export function chosenIn(room: string): string | undefined {
  return kept.getItem(key(room)) ?? undefined;
}

/** Without a document: the first board, which needs no keeping. */
export function keepChosen(room: string, document: string | undefined): void {
  if (document === undefined) kept.removeItem(key(room));
  else kept.setItem(key(room), document);
}
