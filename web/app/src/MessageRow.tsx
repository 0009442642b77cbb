import type { Profile, Reaction, ShownMessage } from "@stoa/client";
import { memo, useEffect, useRef, useState } from "react";
import { Avatar } from "./Avatar.tsx";
import { Dialog } from "./Dialog.tsx";
import { EditIcon, PinIcon, ReplyIcon, SmileIcon, TrashIcon } from "./icons.tsx";
import { excerpt, Name, plain, Words } from "./text.tsx";
import { fullTimeOf, timeOf } from "./time.ts";
import { listOf, useWords } from "./words/index.ts";

export interface RowActions {
  react(seq: number, emoji: string, on: boolean): void;
  pin(seq: number, on: boolean): void;
  remove(seq: number): void;
  reply(seq: number): void;
  edit(seq: number, text: string): void;
  show(seq: number): void;
}

export interface Rights {
  send: boolean;
  react: boolean;
  pin: boolean;
  moderate: boolean;
}

interface Props {
  row: string;
  message: ShownMessage;
  isFirst: boolean;
  isActive: boolean;
  isFocusable: boolean;
  isOwn: boolean;
  mentionsMe: boolean;
  author: Profile;
  answered: ShownMessage | undefined;
  answeredBy: string;
  rights: Rights;
  actions: RowActions;
  nameOf: (user: string | undefined) => Profile;
}

export const MessageRow = memo((props: Props) => {
  const words = useWords();
  const { row, message, isFirst, isActive, isFocusable, mentionsMe, author, actions } = props;
  const name = message.from === undefined ? words.someone : author.name;
  const classes = [
    "message",
    isFirst && "first",
    message.pending && "pending",
    message.announcement && "announcement",
    mentionsMe && "mentions-me",
    message.deleted && "deleted",
  ];
  return (
    <article
      className={classes.filter(Boolean).join(" ")}
      data-row={row}
      data-seq={message.seq}
      // Arrow keys go from message to message, as in a list of things to act on.
      tabIndex={isFocusable ? 0 : -1}
      aria-label={`${plain(name)}, ${timeOf(message.at)}`}
    >
      <div className="gutter">
        {isFirst ? (
          <Avatar id={message.from ?? ""} profile={{ ...author, name }} />
        ) : (
          <time className="gutter-time">{timeOf(message.at)}</time>
        )}
      </div>
      <div className="body">
        {isFirst && (
          <div className="byline">
            <Name name={name} />
            <time className="muted" dateTime={new Date(message.at).toISOString()} title={fullTimeOf(message.at)}>
              {timeOf(message.at)}
            </time>
            {message.announcement && <span className="tag">{words.announcement}</span>}
            {message.pinned && (
              <span className="tag">
                <PinIcon />
                {words.pinned}
              </span>
            )}
          </div>
        )}
        {message.reply_to !== undefined && (
          <button type="button" className="quote" onClick={() => actions.show(message.reply_to ?? 0)}>
            {props.answered ? (
              <>
                <Name name={props.answeredBy} />
                <bdi className="quote-text">
                  {props.answered.deleted ? words.deleted : excerpt(props.answered.text)}
                </bdi>
              </>
            ) : (
              <span className="quote-text">…</span>
            )}
          </button>
        )}
        <Body message={message} hasPin={!isFirst && message.pinned === true} />
        <Reactions {...props} />
        {(message.replies ?? 0) > 0 && <span className="muted replies">{words.replies(message.replies ?? 0)}</span>}
      </div>
      {isActive && !message.deleted && <Tools {...props} />}
    </article>
  );
});

function Body({ message, hasPin }: { message: ShownMessage; hasPin: boolean }) {
  const words = useWords();
  if (message.deleted) return <p className="text gone">{words.deleted}</p>;
  return (
    <div className="text" dir="auto">
      <Words text={message.text} />
      {message.edited_at !== undefined && (
        <span className="edited" title={fullTimeOf(message.edited_at)}>
          {words.edited}
        </span>
      )}
      {hasPin && (
        <span className="tag inline">
          <PinIcon />
          {words.pinned}
        </span>
      )}
    </div>
  );
}

function Reactions({ message, rights, actions, nameOf }: Props) {
  const words = useWords();
  const reactions = message.reactions ?? [];
  if (reactions.length === 0) return null;
  const describe = ({ users, count, emoji }: Reaction) => {
    const names = users.slice(0, 10).map((user) => plain(nameOf(user).name));
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
          aria-label={describe(reaction)}
          aria-pressed={reaction.mine === true}
          disabled={!rights.react}
          onClick={() => actions.react(message.seq, reaction.emoji, !reaction.mine)}
        >
          <bdi className="emoji">{reaction.emoji}</bdi> {reaction.count}
        </button>
      ))}
    </div>
  );
}

function Tools({ message, isOwn, rights, actions }: Props) {
  const words = useWords();
  const [isPicking, setPicking] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const { seq } = message;
  return (
    <div className="tools" role="toolbar">
      {rights.react && (
        <Tool label={words.react} onClick={() => setPicking(!isPicking)} isPressed={isPicking}>
          <SmileIcon />
        </Tool>
      )}
      {rights.send && (
        <Tool label={words.reply} onClick={() => actions.reply(seq)}>
          <ReplyIcon />
        </Tool>
      )}
      {isOwn && rights.send && (
        <Tool label={words.edit} onClick={() => actions.edit(seq, message.text)}>
          <EditIcon />
        </Tool>
      )}
      {rights.pin && (
        <Tool
          label={message.pinned ? words.unpin : words.pin}
          onClick={() => actions.pin(seq, !message.pinned)}
          isPressed={message.pinned === true}
        >
          <PinIcon />
        </Tool>
      )}
      {((isOwn && rights.send) || rights.moderate) && (
        <Tool label={words.delete} onClick={() => setAsking(true)}>
          <TrashIcon />
        </Tool>
      )}
      {isPicking && (
        <Picker
          onClose={() => setPicking(false)}
          onPick={(emoji) => {
            setPicking(false);
            const mine = message.reactions?.some((reaction) => reaction.emoji === emoji && reaction.mine);
            actions.react(seq, emoji, !mine);
          }}
        />
      )}
      {isAsking && (
        <Dialog title={words.deleteAsk} onClose={() => setAsking(false)}>
          <p className="muted">{words.deleteWhy}</p>
          <div className="dialog-actions">
            <button type="button" className="button" onClick={() => setAsking(false)}>
              {words.cancel}
            </button>
            <button type="button" className="button danger" onClick={() => actions.remove(seq)}>
              {words.delete}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

interface ToolProps {
  label: string;
  onClick: () => void;
  isPressed?: boolean;
  children: React.ReactNode;
}

function Tool({ label, onClick, isPressed, children }: ToolProps) {
  return (
    <button type="button" className="tool" title={label} aria-label={label} aria-pressed={isPressed} onClick={onClick}>
      {children}
    </button>
  );
}

const EMOJI = ["👍", "❤️", "😄", "🎉", "🙏", "👀", "✅", "💡", "🤔", "👏", "🔥", "😮"];

function Picker({ onPick, onClose }: { onPick: (emoji: string) => void; onClose: () => void }) {
  const words = useWords();
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    ref.current?.querySelector("button")?.focus();
    const outside = (event: Event) => {
      if (!ref.current?.parentElement?.contains(event.target as Node)) onClose();
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [onClose]);
  return (
    <div
      ref={ref}
      className="picker"
      role="menu"
      aria-label={words.react}
      tabIndex={-1}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") onClose();
      }}
    >
      {EMOJI.map((emoji) => (
        <button type="button" role="menuitem" key={emoji} className="emoji" onClick={() => onPick(emoji)}>
          {emoji}
        </button>
      ))}
    </div>
  );
}
