import type { Profile, Room } from "@stoa/client";
import { Avatar } from "./Avatar.tsx";
import type { Row } from "./rows.ts";
import { Name, Words } from "./text.tsx";
import { timeOf } from "./time.ts";
import { faultText, useWords } from "./words/index.ts";

interface Props {
  room: Room;
  row: Extract<Row, { kind: "pending" }>;
  author: Profile;
  userId: string;
  isLast: boolean;
}

/** A message of one's own that is not in the log yet. */
export function PendingRow({ room, row, author, userId, isLast }: Props) {
  const words = useWords();
  const { pending, isFirst } = row;
  const isFailed = pending.status === "failed";
  return (
    <article
      className={`message pending ${isFirst ? "first" : ""} ${isFailed ? "failed" : ""}`}
      data-row={row.key}
      data-status={pending.status}
      tabIndex={-1}
    >
      <div className="gutter">{isFirst && <Avatar id={userId} profile={author} />}</div>
      <div className="body">
        {isFirst && (
          <div className="byline">
            <Name name={author.name} />
            <time className="muted">{timeOf(pending.at)}</time>
          </div>
        )}
        <div className="text" dir="auto">
          <Words text={pending.text} />
        </div>
        {isLast && pending.status === "waiting" && <p className="pending-note muted">{words.willSend}</p>}
        {isFailed && (
          <p className="pending-note problem" role="alert">
            {words.notSent}
            {pending.fault && `: ${faultText(pending.fault)}`}
            <button type="button" className="link" onClick={() => room.retry(pending.key)}>
              {words.tryAgain}
            </button>
            <button type="button" className="link" onClick={() => room.discard(pending.key)}>
              {words.discard}
            </button>
          </p>
        )}
      </div>
    </article>
  );
}
