import type { Presence, RoomState } from "@stoa/client";
import { memo, useEffect, useRef, useState } from "react";
import { Avatar } from "./Avatar.tsx";
import { useClientState, useNow } from "./hooks.ts";
import { CloseIcon, MutedIcon, PinIcon, SearchIcon } from "./icons.tsx";
import { isThere, type Person, usePeople } from "./people.ts";
import { excerpt, Name } from "./text.tsx";
import { ago } from "./time.ts";
import { showDialog } from "./told.ts";
import { useWords } from "./words/index.ts";

interface Props {
  state: RoomState;
  onClose: () => void;
  onJump: (seq: number) => void;
  isSheet: boolean;
}

/** Fewer are seen at a glance. */
const SEARCH_FROM = 8;

/** Who is in the room, and what is pinned there. */
export function People({ state, onClose, onJump, isSheet }: Props) {
  const words = useWords();
  const { people, more, loadMore } = usePeople(state);
  const [query, setQuery] = useState("");
  const panel = useSheetFocus(isSheet, onClose);
  const wanted = query.trim().toLocaleLowerCase();
  const shown = wanted
    ? people.filter(({ profile, user }) => profile.name.toLocaleLowerCase().includes(wanted) || user === query.trim())
    : people;
  const here = shown.filter(({ presence }) => isThere(presence));
  const away = shown.filter(({ presence }) => !isThere(presence));
  const pinned = state.pins.map((seq) => state.messages.find((message) => message.seq === seq));

  // Who searches means everybody, also those who have not been read yet: page after page, each when the last is there.
  const read = people.length;
  useEffect(() => {
    if (wanted && more && read > 0) loadMore();
  }, [wanted, more, read, loadMore]);

  return (
    <>
      {isSheet && <button type="button" className="scrim" aria-label={words.close} tabIndex={-1} onClick={onClose} />}
      <aside
        ref={panel}
        tabIndex={-1}
        className={`people ${isSheet ? "sheet" : ""}`}
        aria-label={words.people}
        data-testid="people"
      >
        <header className="people-head">
          <h2>{words.people}</h2>
          <button type="button" className="icon-button" title={words.close} onClick={onClose}>
            <CloseIcon />
            <span className="hidden">{words.close}</span>
          </button>
        </header>
        <div className="people-body">
          {state.memberCount >= SEARCH_FROM && (
            <label className="filter">
              <SearchIcon />
              <span className="hidden">{words.findPeople}</span>
              <input
                type="search"
                value={query}
                onChange={(event) => setQuery(event.target.value)}
                placeholder={words.findPeople}
                dir="auto"
              />
            </label>
          )}
          <Group title={words.here} count={wanted ? here.length : state.online} people={here} room={state.room} />
          <Group
            title={words.away}
            count={wanted ? away.length : Math.max(0, state.memberCount - state.online)}
            people={away}
            room={state.room}
          />
          {wanted && shown.length === 0 && !more && <p className="people-none muted">{words.nobodyFound}</p>}
          {/* Made anew with each page, so that it looks again whether it is in view. */}
          {more && !wanted && <More key={read} onMore={loadMore} />}
          {pinned.length > 0 && (
            <section>
              <h3>{words.pins}</h3>
              {pinned.map(
                (message, index) =>
                  message && (
                    <button
                      type="button"
                      key={state.pins[index]}
                      className="pinned"
                      onClick={() => {
                        if (isSheet) onClose();
                        onJump(message.seq);
                      }}
                    >
                      <PinIcon />
                      <bdi>{excerpt(message.text)}</bdi>
                    </button>
                  ),
              )}
            </section>
          )}
        </div>
      </aside>
    </>
  );
}

/** A sheet lies over the room: it takes the focus, Escape closes it, and the focus goes back to where it was. */
function useSheetFocus(isSheet: boolean, onClose: () => void) {
  const panel = useRef<HTMLElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    if (!isSheet) return;
    const before = document.activeElement as HTMLElement | null;
    panel.current?.focus({ preventScroll: true });
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented) close.current();
    };
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("keydown", onKey);
      before?.focus({ preventScroll: true });
    };
  }, [isSheet]);
  return panel;
}

/** Reads on when it comes into view. */
function More({ onMore }: { onMore: () => void }) {
  const words = useWords();
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && onMore());
    watch.observe(element);
    return () => watch.disconnect();
  }, [onMore]);
  return (
    <button ref={ref} type="button" className="people-more muted" onClick={onMore}>
      {words.more}
    </button>
  );
}

function Group({ title, count, people, room }: { title: string; count: number; people: Person[]; room: string }) {
  const { user: me } = useClientState();
  const now = useNow(60_000);
  if (people.length === 0 && count === 0) return null;
  return (
    <section>
      <h3>
        {title} <span className="muted">{Math.max(count, people.length)}</span>
      </h3>
      <ul>
        {people.map((person) => (
          <PersonRow
            key={person.user}
            user={person.user}
            name={person.profile.name}
            avatar={person.profile.avatar}
            isGuest={person.profile.guest === true}
            role={person.role}
            isMuted={person.isMuted}
            presence={person.presence}
            isMe={person.user === me}
            // Rows of people who are here say nothing of the time.
            now={isThere(person.presence) ? 0 : now}
            room={room}
          />
        ))}
      </ul>
    </section>
  );
}

interface RowProps extends Pick<Person, "user" | "role" | "isMuted" | "presence"> {
  name: string;
  avatar: string | undefined;
  isGuest: boolean;
  isMe: boolean;
  now: number;
  room: string;
}

const PersonRow = memo(({ user, name, avatar, isGuest, role, isMuted, presence, isMe, now, room }: RowProps) => {
  const words = useWords();
  return (
    <li className={`person ${isThere(presence) ? "" : "absent"}`} data-user={user}>
      <button type="button" className="person-button" onClick={() => showDialog({ kind: "person", room, user })}>
        <Avatar id={user} profile={{ name, avatar }} size="small" presence={presence?.state ?? "offline"} />
        <span className="person-text">
          <span className="person-name">
            <Name name={name} />
            {isMe && <span className="muted">({words.you})</span>}
          </span>
          <PersonNote presence={presence} now={now} />
        </span>
        {isMuted && (
          <span className="person-muted" title={words.mutedTag}>
            <MutedIcon />
            <span className="hidden">{words.mutedTag}</span>
          </span>
        )}
        {isGuest && <span className="tag plain">{words.guest}</span>}
        {role && role !== "member" && <span className="tag">{words.roles[role]}</span>}
      </button>
    </li>
  );
});

function PersonNote({ presence, now }: { presence: Presence | undefined; now: number }) {
  const words = useWords();
  if (!presence) return null;
  const { state, text, last_seen } = presence;
  if (text) return <bdi className="muted person-note">{text}</bdi>;
  if (state === "offline" && last_seen !== undefined) {
    return <span className="muted person-note">{words.lastSeen(ago(last_seen, now))}</span>;
  }
  if (state === "away" || state === "busy") return <span className="muted person-note">{words.states[state]}</span>;
  return null;
}
