import type { OwnState, RoomEntry } from "@stoa/client";
import { type FormEvent, memo, useState } from "react";
import { Avatar } from "./Avatar.tsx";
import { Dialog } from "./Dialog.tsx";
import { useClient, useClientState, useNow, useProfiles, useRooms } from "./hooks.ts";
import { ExitIcon, Logo, PlusIcon } from "./icons.tsx";
import { go, linkOf } from "./place.ts";
import { statusText } from "./status.ts";
import { excerpt, Name } from "./text.tsx";
import { briefTime } from "./time.ts";
import { faultText, useWords } from "./words/index.ts";

interface Props {
  current: string | undefined;
  onLogOut: (() => void) | undefined;
}

export function Sidebar({ current, onLogOut }: Props) {
  const words = useWords();
  const rooms = useRooms();
  const { mayCreate } = useClientState();
  const client = useClient();
  const nameOf = useProfiles();
  const now = useNow(60_000);
  const [isCreating, setCreating] = useState(false);

  return (
    <aside className="sidebar">
      <header className="sidebar-head">
        <Logo />
        <h1>Stoa</h1>
        {mayCreate && (
          <button type="button" className="icon-button" title={words.createRoom} onClick={() => setCreating(true)}>
            <PlusIcon />
            <span className="hidden">{words.createRoom}</span>
          </button>
        )}
      </header>
      <nav className="rooms" aria-label={words.rooms}>
        {rooms.map((entry) => (
          <RoomRow
            key={entry.info.room}
            entry={entry}
            isCurrent={entry.info.room === current}
            title={entry.peer === undefined ? entry.info.title || entry.info.room : nameOf(entry.peer).name}
            author={entry.last?.from === undefined ? "" : nameOf(entry.last.from).name}
            now={now}
          />
        ))}
        {rooms.length === 0 && client.hasRooms && (
          <div className="rooms-empty">
            <strong>{words.noRooms}</strong>
            <p className="muted">{words.noRoomsWhy}</p>
          </div>
        )}
      </nav>
      <Self onLogOut={onLogOut} />
      {isCreating && <CreateRoom onClose={() => setCreating(false)} />}
    </aside>
  );
}

interface RowProps {
  entry: RoomEntry;
  isCurrent: boolean;
  title: string;
  author: string;
  now: number;
}

const RoomRow = memo(({ entry, isCurrent, title, author, now }: RowProps) => {
  const words = useWords();
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
      className={`room-row ${unread > 0 ? "unread" : ""}`}
      aria-current={isCurrent ? "page" : undefined}
      onClick={open}
    >
      <Avatar id={peer ?? info.room} profile={{ name: title }} isRoom={peer === undefined} />
      <span className="room-row-text">
        <span className="room-row-top">
          <Name name={title} className="room-row-title" />
          {last && <time className="muted">{briefTime(last.at, now)}</time>}
        </span>
        <span className="room-row-bottom">
          <span className="room-row-last">
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
          {unread > 0 && (
            <span className={`badge ${mentions > 0 ? "mentions" : ""}`}>
              {mentions > 0 ? "@" : ""}
              {unread > 99 ? "99+" : unread}
              <span className="hidden"> {words.newBelow(unread)}</span>
            </span>
          )}
        </span>
      </span>
    </a>
  );
});

const STATES: OwnState[] = ["online", "away", "busy"];

function Self({ onLogOut }: { onLogOut: (() => void) | undefined }) {
  const words = useWords();
  const client = useClient();
  const state = useClientState();
  const [own, setOwn] = useState<OwnState>("online");
  const isOnline = state.status === "connected" || state.status === "catching_up";
  const { user } = state;
  if (user === undefined) return <footer className="self muted">{statusText(state)}</footer>;
  const profile = state.profile ?? { name: user };
  const choose = (next: OwnState) => {
    setOwn(next);
    client.setPresence(next);
  };
  return (
    <footer className="self">
      <Avatar id={user} profile={profile} presence={isOnline ? own : "offline"} />
      <span className="self-text">
        <Name name={profile.name} />
        <span className="muted self-status" data-testid="status" title={statusText(state)}>
          {statusText(state)}
        </span>
      </span>
      {isOnline && (
        <select
          className="self-state"
          aria-label={words.status}
          value={own}
          onChange={(event) => choose(event.target.value as OwnState)}
        >
          {STATES.map((each) => (
            <option key={each} value={each}>
              {words.states[each]}
            </option>
          ))}
        </select>
      )}
      {onLogOut && (
        <button type="button" className="icon-button" title={words.logOut} onClick={onLogOut}>
          <ExitIcon />
          <span className="hidden">{words.logOut}</span>
        </button>
      )}
    </footer>
  );
}

function CreateRoom({ onClose }: { onClose: () => void }) {
  const words = useWords();
  const client = useClient();
  const [title, setTitle] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  const create = async (event: FormEvent) => {
    event.preventDefault();
    if (!title.trim() || isBusy) return;
    setBusy(true);
    try {
      const { room, created } = client.createRoom({ kind: "group", title: title.trim() });
      await created;
      onClose();
      go(room);
    } catch (error) {
      setProblem(faultText(error as { code: string; message: string }));
      setBusy(false);
    }
  };

  return (
    <Dialog title={words.createRoom} onClose={onClose}>
      <form onSubmit={create}>
        <label className="field">
          <span>{words.roomName}</span>
          <input
            value={title}
            onChange={(event) => setTitle(event.target.value)}
            placeholder={words.roomNameHint}
            maxLength={80}
            dir="auto"
          />
        </label>
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {words.cancel}
          </button>
          <button type="submit" className="button primary" disabled={!title.trim() || isBusy}>
            {words.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
