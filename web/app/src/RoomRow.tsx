import type { RoomEntry } from "@stoa/client";
import { memo } from "react";
import { Avatar } from "./Avatar.tsx";
import { PhoneIcon } from "./call/icons.tsx";
import { useCallRuns, useHeldRoom } from "./hooks.ts";
import { go, linkOf } from "./place.ts";
import { excerpt, Name } from "./text.tsx";
import { briefTime } from "./time.ts";
import { useWords } from "./words/index.ts";

interface Props {
  entry: RoomEntry;
  isCurrent: boolean;
  title: string;
  author: string;
  now: number;
}

export const RoomRow = memo(({ entry, isCurrent, title, author, now }: Props) => {
  const words = useWords();
  const runs = useCallRuns(entry);
  const { info, last, unread, mentions, peer } = entry;
  const open = (event: React.MouseEvent) => {
    // A new tab, when that is what was asked for.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(info.room);
  };
  return (
    <a
      href={linkOf(info.room)}
      className={`room-row ${unread > 0 ? "unread" : ""} ${info.archived ? "archived" : ""}`}
      aria-current={isCurrent ? "page" : undefined}
      onClick={open}
    >
      {peer === undefined ? (
        <Avatar id={info.room} profile={{ name: title }} isRoom />
      ) : (
        <Peer room={info.room} user={peer} name={title} />
      )}
      <span className="room-row-text">
        <span className="room-row-top">
          <Name name={title} className="room-row-title" />
          {last && <time className="muted">{briefTime(last.at, now)}</time>}
        </span>
        <span className="room-row-bottom">
          <span className="room-row-last">
            {!last && <span className="room-row-none">{words.nothingSaid}</span>}
            {last && (
              <>
                {peer === undefined && author && (
                  <>
                    <bdi>{author}</bdi>
                    {": "}
                  </>
                )}
                <bdi>{last.deleted ? words.deleted : excerpt(last.text, 80)}</bdi>
              </>
            )}
          </span>
          {runs && (
            <span className="room-row-call" title={words.call.runs}>
              <PhoneIcon />
              <span className="hidden">{words.call.runs}</span>
            </span>
          )}
          {unread > 0 && (
            <span className={`badge ${mentions > 0 ? "mentions" : ""}`}>
              {mentions > 0 ? "@" : ""}
              {unread > 99 ? "99+" : unread}
              <span className="hidden">
                {" "}
                {words.newBelow(unread)}
                {mentions > 0 && `, ${words.mentionCount(mentions)}`}
              </span>
            </span>
          )}
        </span>
      </span>
    </a>
  );
});

/** The other one of a direct room, with whether they are there: the room is held open to be told. */
function Peer({ room, user, name }: { room: string; user: string; name: string }) {
  const words = useWords();
  const state = useHeldRoom(room);
  const presence = state.phase === "open" ? (state.presence.get(user)?.state ?? "offline") : undefined;
  return (
    <>
      <Avatar id={user} profile={{ name }} presence={presence} />
      {presence && <span className="hidden">{words.states[presence]}</span>}
    </>
  );
}
