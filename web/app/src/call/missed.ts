// Calls that rang in vain: the room keeps them; here they are said in passing, and by the browser to who does not look.
import type { Client, ClientEvents } from "@stoa/client";
import { tell } from "../notify.ts";
import { plain } from "../text.tsx";
import { say } from "../told.ts";
import { currentWords } from "../words/index.ts";
import { callWords } from "./words.ts";

export function tellMissed(client: Client, { room, from }: ClientEvents["ringEnded"]): void {
  const name = (from === undefined ? undefined : client.profile(from)?.name) ?? currentWords().someone;
  const text = callWords().missedCall(plain(name));
  say(text);
  tell(room, text, "");
}
