import type { ShownMessage } from "@stoa/client";
import { memo, useMemo, useRef, useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { MegaphoneIcon, PinIcon, ThreadIcon } from "../icons.tsx";
import { later } from "../later.tsx";
import { excerpt, Name, plain } from "../text.tsx";
import { fullTimeOf, timeOf } from "../time.ts";
import { useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { Markup } from "./Markup.tsx";
import type { RowState } from "./MessageList.tsx";
import { plainText } from "./markdown.ts";
import { Reactions } from "./Reactions.tsx";
import type { SheetProps, ToolsProps } from "./Tools.tsx";

interface Props extends RowState {
  row: string;
  message: ShownMessage;
  isFirst: boolean;
  /** The message that this one answers, when it is known. */
  answered: ShownMessage | undefined;
}

/** What can be done with a message, and the menus under it, come when a message is pointed at, or before. */
export const Tools = later<ToolsProps>({ load: () => import("./Tools.tsx").then((file) => file.Tools) });
const Sheet = later<SheetProps>({
  load: () => import("./Tools.tsx").then((file) => file.Sheet),
  onFail: ({ onClose }) => onClose(),
});

/** How long a finger rests on a message before its actions are shown. */
const LONG_PRESS_MS = 450;

export const MessageRow = memo((props: Props) => {
  const words = useWords();
  const { me, nameOf } = useChat();
  const { row, message, isFirst, isActive, isFocusable, isFlashed, answered, hold } = props;
  const author = nameOf(message.from);
  const name = message.from === undefined ? words.someone : author.name;
  const mentionsMe = !message.deleted && message.from !== me && isFor(message, me);
  const press = useLongPress(!message.deleted);
  const classes = [
    "message",
    isFirst && "first",
    message.pending && "pending",
    message.announcement && "announcement",
    mentionsMe && "mentions-me",
    message.deleted && "deleted",
    isFlashed && "flash",
    isActive && "active",
  ];
  return (
    <article
      className={classes.filter(Boolean).join(" ")}
      data-row={row}
      data-seq={message.seq}
      tabIndex={isFocusable ? 0 : -1}
      aria-label={words.chat.by(plain(name), timeOf(message.at))}
      {...press.handlers}
    >
      <div className="gutter">
        {isFirst ? (
          <Avatar id={message.from ?? ""} profile={{ ...author, name }} />
        ) : (
          <time className="gutter-time" title={fullTimeOf(message.at)}>
            {timeOf(message.at)}
          </time>
        )}
      </div>
      <div className="body">
        {message.reply_to !== undefined && <Quote seq={message.reply_to} answered={answered} />}
        {isFirst && (
          <div className="byline">
            <Name name={name} />
            <time className="muted" dateTime={new Date(message.at).toISOString()} title={fullTimeOf(message.at)}>
              {timeOf(message.at)}
            </time>
            {message.announcement && (
              <span className="tag">
                <MegaphoneIcon />
                {words.chat.announcement}
              </span>
            )}
            {message.pinned && <Pinned />}
          </div>
        )}
        <Body message={message} hasPin={!isFirst && message.pinned === true} />
        <Reactions message={message} hold={hold} />
        <Replies message={message} />
      </div>
      {isActive && !message.deleted && <Tools message={message} hold={hold} onSheet={press.show} />}
      {press.isShown && <Sheet message={message} hold={hold} onClose={press.hide} />}
    </article>
  );
});

function isFor(message: ShownMessage, me: string | undefined): boolean {
  return message.mention_all === true || (me !== undefined && message.mentions?.includes(me) === true);
}

function Pinned() {
  const words = useWords();
  return (
    <span className="tag quiet">
      <PinIcon />
      {words.pinned}
    </span>
  );
}

function Body({ message, hasPin }: { message: ShownMessage; hasPin: boolean }) {
  const words = useWords();
  const { me, nameOf } = useChat();
  const people = useMemo(
    () => (message.mentions ?? []).map((user) => ({ user, name: nameOf(user).name })),
    [message.mentions, nameOf],
  );
  if (message.deleted) return <p className="text gone">{words.deleted}</p>;
  return (
    <div className="text" dir="auto">
      <Markup text={message.text} people={people} isForAll={message.mention_all} me={me} />
      {message.edited_at !== undefined && (
        <span className="edited" title={fullTimeOf(message.edited_at)}>
          {words.edited}
        </span>
      )}
      {hasPin && <Pinned />}
    </div>
  );
}

function Quote({ seq, answered }: { seq: number; answered: ShownMessage | undefined }) {
  const words = useWords();
  const { nameOf, actions, thread } = useChat();
  const name = answered ? nameOf(answered.from).name : "";
  const label = answered ? words.chat.replied(plain(name)) : words.chat.noQuote;
  return (
    <button type="button" className="quote" title={label} onClick={() => actions.show(seq, thread)}>
      {answered ? (
        <>
          <Name name={name} />
          <bdi className="quote-text">{answered.deleted ? words.deleted : excerpt(plainText(answered.text))}</bdi>
        </>
      ) : (
        <span className="quote-text">{words.chat.noQuote}</span>
      )}
    </button>
  );
}

function Replies({ message }: { message: ShownMessage }) {
  const words = useWords();
  const { actions, thread } = useChat();
  const count = message.replies ?? 0;
  if (count === 0 || thread !== undefined) return null;
  return (
    <button type="button" className="replies" onClick={() => actions.thread(message)}>
      <ThreadIcon />
      {words.chat.repliesLine(count)}
    </button>
  );
}

/** A finger that rests on a message asks for what can be done with it. */
function useLongPress(isPossible: boolean) {
  const [isShown, setShown] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const end = () => clearTimeout(timer.current);
  const handlers = {
    onPointerDown: (event: React.PointerEvent) => {
      if (!isPossible || event.pointerType !== "touch" || (event.target as Element).closest("a, button, pre")) return;
      end();
      timer.current = setTimeout(() => setShown(true), LONG_PRESS_MS);
    },
    onPointerUp: end,
    onPointerCancel: end,
    onPointerMove: (event: React.PointerEvent) => {
      if (Math.abs(event.movementX) + Math.abs(event.movementY) > 6) end();
    },
    onContextMenu: (event: React.MouseEvent) => {
      // On phones the browser's own menu would come over ours.
      if (matchMedia("(hover: none)").matches && !(event.target as Element).closest("a")) event.preventDefault();
    },
  };
  return { handlers, isShown, show: () => setShown(true), hide: () => setShown(false) };
}
