// Which tiles are shown large and which small. Pure.
import type { CallParticipant, CallState } from "@stoa/client/call";

export type Layout = "grid" | "speaker";

export interface Arrangement {
  /** Who shares a screen; it is shown large above everything. */
  screens: readonly CallParticipant[];
  /** Who is shown large. */
  large: CallParticipant | undefined;
  /** The others, all alike. */
  rest: readonly CallParticipant[];
}

export function arrange({ participants, speaker }: CallState, layout: Layout): Arrangement {
  const screens = participants.filter(({ tracks, isMe }) => tracks.get("screen")?.media && !isMe);
  if (screens.length > 0) return { screens, large: undefined, rest: participants };
  const others = participants.filter(({ isMe }) => !isMe);
  const large = others.find(({ session }) => session === speaker) ?? others[0];
  if (layout === "grid" || !large) return { screens, large: undefined, rest: participants };
  return { screens, large, rest: participants.filter((other) => other !== large) };
}

/** Columns in which so many tiles are largest. */
export function columnsOf(count: number, width: number, height: number): number {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns, (height / rows) * (16 / 9));
    if (size > best.size) best = { columns, size };
  }
  return best.columns;
}
