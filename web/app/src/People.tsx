import type { Presence, Profile, Role, RoomState } from "@stoa/client";
import { Avatar } from "./Avatar.tsx";
import { useClientState, useNow, useProfiles } from "./hooks.ts";
import { CloseIcon, PinIcon } from "./icons.tsx";
import { excerpt, Name } from "./text.tsx";
import { ago } from "./time.ts";
import { useWords } from "./words/index.ts";

interface Props {
  state: RoomState;
  onClose: () => void;
  onJump: (seq: number) => void;
  isSheet: boolean;
}

interface Person {
  user: string;
  profile: Profile;
  role: Role | undefined;
  presence: Presence | undefined;
}

/** Who is in the room, and what is pinned there. */
export function People({ state, onClose, onJump, isSheet }: Props) {
  const words = useWords();
  const people = usePeople(state);
  const here = people.filter(isHere);
  const away = people.filter((person) => !isHere(person));
  const pinned = state.pins.map((seq) => state.messages.find((message) => message.seq === seq));
  return (
    <>
      {isSheet && <button type="button" className="scrim" aria-label={words.close} tabIndex={-1} onClick={onClose} />}
      <aside className={`people ${isSheet ? "sheet" : ""}`} aria-label={words.people} data-testid="people">
        <header className="people-head">
          <h2>{words.people}</h2>
          <button type="button" className="icon-button" title={words.close} onClick={onClose}>
            <CloseIcon />
            <span className="hidden">{words.close}</span>
          </button>
        </header>
        <div className="people-body">
          <Group title={words.here} count={state.online} people={here} />
          <Group title={words.away} count={Math.max(0, state.memberCount - state.online)} people={away} />
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

function isHere({ presence }: Person): boolean {
  return presence !== undefined && presence.state !== "offline";
}

function usePeople({ members, presence }: RoomState): Person[] {
  const nameOf = useProfiles();
  const roles = new Map(members.map(({ user, role }) => [user, role]));
  // An audience is here without being members; members are listed without being here.
  const users = new Set([
    ...roles.keys(),
    ...[...presence.values()].filter((p) => p.state !== "offline").map((p) => p.user),
  ]);
  return [...users]
    .map((user) => ({ user, profile: nameOf(user), role: roles.get(user), presence: presence.get(user) }))
    .sort((a, b) => a.profile.name.localeCompare(b.profile.name) || (a.user < b.user ? -1 : 1));
}

function Group({ title, count, people }: { title: string; count: number; people: Person[] }) {
  const words = useWords();
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
          <li key={person.user} className={`person ${isHere(person) ? "" : "absent"}`} data-user={person.user}>
            <Avatar
              id={person.user}
              profile={person.profile}
              size="small"
              presence={person.presence?.state ?? "offline"}
            />
            <span className="person-text">
              <span className="person-name">
                <Name name={person.profile.name} />
                {person.user === me && <span className="muted">({words.you})</span>}
              </span>
              <PersonNote presence={person.presence} now={now} />
            </span>
            {person.role && person.role !== "member" && <span className="tag">{words.roles[person.role]}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

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
