import type { RoomEvent } from "@stoa/client";
import { plain } from "../text.tsx";
import { fullTimeOf, timeOf } from "../time.ts";
import { listOf, useWords, type Words } from "../words/index.ts";
import { useChat } from "./chat.ts";
import type { Note } from "./rows.ts";

/** People that are named in one row. */
const NAMED = 4;

/** What happened to the room or its members, in a line. */
export function NoteRow({ note }: { note: Note }) {
  const words = useWords();
  const { nameOf } = useChat();
  const name = (user: string | undefined) => plain(user === undefined ? words.someone : nameOf(user).name);
  const text = textOf(note.events, name, words);
  if (text === undefined) return null;
  return (
    <p className="note" data-testid="note" title={fullTimeOf(note.at)}>
      <bdi>{text}</bdi> <time>{timeOf(note.at)}</time>
    </p>
  );
}

function textOf(
  events: readonly RoomEvent[],
  name: (user: string | undefined) => string,
  all: Words,
): string | undefined {
  const words = all.chat;
  const [event] = events;
  if (!event) return undefined;
  const by = name(event.from);
  switch (event.type) {
    case "member.joined": {
      const users = events.flatMap((each) => (each.type === "member.joined" ? [name(each.user)] : []));
      const more = users.length - NAMED;
      const named = more > 0 ? [...users.slice(0, NAMED), all.others(more)] : users;
      return words.joined(listOf(named), users.length);
    }
    case "member.left": {
      if (event.reason === "banned") return words.banned(name(event.user));
      return event.reason === "removed" ? words.removed(name(event.user)) : words.left(name(event.user));
    }
    case "member.updated": {
      if (event.role) return words.roleChanged(name(event.user), words.roleNames[event.role]);
      if (event.muted_until !== undefined) {
        return event.muted_until > 0 ? words.muted(name(event.user)) : words.unmuted(name(event.user));
      }
      return event.capabilities ? words.rightsChanged(name(event.user)) : undefined;
    }
    // Told by the row of the one who had to leave.
    case "member.banned":
      return undefined;
    case "member.unbanned":
      return words.unbanned(name(event.user));
    case "room.updated": {
      if (event.title !== undefined) return words.renamed(by, plain(event.title));
      if (event.topic !== undefined)
        return event.topic ? words.topicChanged(by, plain(event.topic)) : words.topicRemoved(by);
      if (event.slow_mode_s !== undefined) {
        return event.slow_mode_s > 0 ? words.slowOn(by, event.slow_mode_s) : words.slowOff(by);
      }
      return event.data === undefined ? words.roomChanged(by) : undefined;
    }
    case "room.archived":
      return event.archived ? words.archived(by) : words.unarchived(by);
    case "chat.pinned":
      return event.on ? words.pinnedBy(by) : words.unpinnedBy(by);
    case "call.started":
      return words.callStarted(by);
    case "call.ended":
      if (event.reason === "missed") return words.callMissed;
      return event.reason === "declined" ? words.callDeclined : words.callEnded(event.duration_ms / 60_000);
    default:
      return undefined;
  }
}
