import type { ClientState } from "@stoa/client";
import { currentWords, type Words } from "./words/index.ts";

/** How the connection goes, in a few words. */
export function statusText(state: ClientState): string {
  const words = currentWords();
  switch (state.status) {
    case "connecting":
      return words.connecting;
    case "connected":
      return words.connected;
    case "catching_up":
      return words.catchingUp;
    case "offline":
      return state.waiting > 0 ? `${words.offline} – ${words.waiting(state.waiting)}` : words.offline;
    case "refused":
      return words.refused;
    case "closed":
      return words.offline;
  }
}

/** When it is tried again. It changes every second, so it is apart from what is read aloud. */
export function retryText({ status, retryAt }: ClientState, now: number): string {
  const words = currentWords();
  if (status !== "offline") return "";
  const seconds = retryAt === undefined ? 0 : Math.ceil((retryAt - now) / 1000);
  return seconds > 1 ? words.retryIn(seconds) : words.retrying;
}

/** Why the server will not, for people. */
export function refusalText({ refusal }: ClientState): string {
  const words = currentWords();
  if (!refusal) return words.refused;
  const { refusals } = words;
  return Object.hasOwn(refusals, refusal.reason)
    ? refusals[refusal.reason as keyof Words["refusals"]]
    : refusal.message;
}
