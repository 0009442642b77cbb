import type { PendingMessage } from "@stoa/client";
import { memo } from "react";
import { Avatar } from "../Avatar.tsx";
import { ClockIcon, MegaphoneIcon } from "../icons.tsx";
import { Name } from "../text.tsx";
import { timeOf } from "../time.ts";
import { faultText, useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { copy } from "./copy.ts";
import { Markup } from "./Markup.tsx";

interface Props {
  row: string;
  pending: PendingMessage;
  isFirst: boolean;
  isLast: boolean;
  isFocusable: boolean;
}

/** A message of one's own that is not in the log yet. */
export const PendingRow = memo(({ row, pending, isFirst, isLast, isFocusable }: Props) => {
  const words = useWords();
  const { room, me, nameOf, actions } = useChat();
  const author = nameOf(me);
  const isFailed = pending.status === "failed";
  const people = (pending.mentions ?? []).map((user) => ({ user, name: nameOf(user).name }));
  return (
    <article
      className={`message pending ${isFirst ? "first" : ""} ${isFailed ? "failed" : ""}`}
      data-row={row}
      data-status={pending.status}
      tabIndex={isFocusable ? 0 : -1}
      aria-label={words.chat.by(author.name, isFailed ? words.chat.failed : words.chat.sending)}
    >
      <div className="gutter">{isFirst ? <Avatar id={me ?? ""} profile={author} /> : !isFailed && <ClockIcon />}</div>
      <div className="body">
        {isFirst && (
          <div className="byline">
            <Name name={author.name} />
            <time className="muted">{timeOf(pending.at)}</time>
            {pending.announcement && (
              <span className="tag">
                <MegaphoneIcon />
                {words.chat.announcement}
              </span>
            )}
          </div>
        )}
        <div className="text" dir="auto">
          <Markup text={pending.text} people={people} isForAll={pending.mention_all} me={me} />
        </div>
        {isLast && pending.status === "waiting" && (
          <p className="pending-note muted">
            <ClockIcon />
            {words.chat.undelivered}
          </p>
        )}
        {isFailed && (
          <p className="pending-note problem" role="alert">
            <span>
              {words.chat.failed}
              {pending.fault && `: ${faultText(pending.fault)}`}
            </span>
            <button type="button" className="link" onClick={() => room.retry(pending.key)}>
              {words.chat.retry}
            </button>
            <button type="button" className="link" onClick={() => copy(pending.text, words.chat.textCopied, actions)}>
              {words.chat.copy}
            </button>
            <button type="button" className="link" onClick={() => room.discard(pending.key)}>
              {words.chat.discard}
            </button>
          </p>
        )}
      </div>
    </article>
  );
});
