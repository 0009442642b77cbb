// What somebody has said of themselves on this browser; told again when the page comes back.
import type { OwnState } from "@stoa/client";
import { local } from "./kept.ts";

export interface OwnPresence {
  state: OwnState;
  text: string;
}

const nameOf = (user: string) => `stoa.presence:${user}`;
const STATES: readonly unknown[] = ["online", "away", "busy", "offline"];
export const PLAIN: OwnPresence = { state: "online", text: "" };

export function readPresence(user: string): OwnPresence {
  try {
    const kept = JSON.parse(local.getItem(nameOf(user)) ?? "null") as Partial<OwnPresence> | null;
    if (kept && STATES.includes(kept.state) && typeof kept.text === "string") return kept as OwnPresence;
  } catch {
    // Somebody else's.
  }
  return PLAIN;
}

export function keepPresence(user: string, presence: OwnPresence): void {
  if (presence.state === "online" && presence.text === "") local.removeItem(nameOf(user));
  else local.setItem(nameOf(user), JSON.stringify(presence));
  for (const listener of listeners) listener();
}

const listeners = new Set<() => void>();

export function onPresence(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
