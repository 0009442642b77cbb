import type { Reaction, ShownMessage } from "@stoa/client";
import { plain } from "../text.tsx";
import { listOf, useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { EmojiButton } from "./EmojiButton.tsx";
import { rememberEmoji } from "./emoji.ts";

/** People that are named; the rest is a number. */
const NAMED = 10;

export function Reactions({ message, hold }: { message: ShownMessage; hold: (isHeld: boolean) => void }) {
  const words = useWords();
  const { room, rights, nameOf, me } = useChat();
  const reactions = message.reactions ?? [];
  if (reactions.length === 0) return null;
  const describe = ({ users, count, emoji }: Reaction) => {
    const names = users.slice(0, NAMED).map((user) => (user === me ? words.you : plain(nameOf(user).name)));
    const more = count - names.length;
    return words.reactedBy(listOf(more > 0 ? [...names, words.others(more)] : names), emoji, count);
  };
  return (
    <div className="reactions">
      {reactions.map((reaction) => (
        <button
          type="button"
          key={reaction.emoji}
          className={`reaction ${reaction.mine ? "mine" : ""}`}
          title={describe(reaction)}
          aria-pressed={reaction.mine === true}
          disabled={!rights.react}
          onClick={() => void room.react(message.seq, reaction.emoji, !reaction.mine)}
        >
          <bdi className="emoji">{reaction.emoji}</bdi>
          <span>{reaction.count}</span>
          <span className="hidden">{describe(reaction)}</span>
        </button>
      ))}
      {rights.react && (
        <EmojiButton
          label={words.chat.moreEmoji}
          className="reaction add"
          onOpen={hold}
          onPick={(emoji) => react(room, message, emoji)}
        />
      )}
    </div>
  );
}

/** Reacts, or takes the same reaction back. */
export function react(room: ReturnType<typeof useChat>["room"], message: ShownMessage, emoji: string): void {
  const isMine = message.reactions?.some((reaction) => reaction.emoji === emoji && reaction.mine) === true;
  if (!isMine) rememberEmoji(emoji);
  void room.react(message.seq, emoji, !isMine);
}
