import type { RoomKind, UserId } from "@stoa/client";
import { type FormEvent, useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { useClient, useClientState, useProfiles } from "../hooks.ts";
import { CloseIcon, PlusIcon } from "../icons.tsx";
import { go } from "../place.ts";
import { Name, plain } from "../text.tsx";
import { useWords } from "../words/index.ts";
import { Choose, Line, Problem, Sheet } from "./parts.tsx";
import { useWork } from "./work.ts";

type Kind = Exclude<RoomKind, "direct">;
const KINDS: Kind[] = ["group", "session", "class"];
const SUGGESTIONS = 6;
/** Half of the server's bound of a title in bytes, so that most scripts stay below it. */
const TITLE_CHARS = 100;

export default function CreateRoom({ onClose }: { onClose: () => void }) {
  const words = useWords();
  const client = useClient();
  const [kind, setKind] = useState<Kind>("group");
  const [title, setTitle] = useState("");
  const [topic, setTopic] = useState("");
  const [members, setMembers] = useState<readonly UserId[]>([]);
  const work = useWork();

  const create = async (event: FormEvent) => {
    event.preventDefault();
    if (!title.trim() || work.isBusy) return;
    const { room, created } = client.createRoom({
      kind,
      title: title.trim(),
      topic: topic.trim() || undefined,
      members: members.map((user) => ({ user, role: "member" as const })),
    });
    if (!(await work.run(() => created))) return;
    onClose();
    go(room);
  };

  return (
    <Sheet title={words.createRoom} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void create(event)}>
        <Line
          label={words.roomName}
          value={title}
          onChange={setTitle}
          placeholder={words.roomNameHint}
          maxLength={TITLE_CHARS}
          autoFocus
        />
        <Choose
          label={words.kind}
          value={kind}
          onChange={setKind}
          choices={KINDS.map((value) => ({ value, label: words.kinds[value], hint: words.kindHints[value] }))}
        />
        <Line label={words.topic} value={topic} onChange={setTopic} placeholder={words.topicHint} maxLength={500} />
        <Members members={members} onChange={setMembers} />
        <Problem text={work.problem} />
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {words.cancel}
          </button>
          <button type="submit" className="button primary" disabled={!title.trim() || work.isBusy}>
            {words.create}
          </button>
        </div>
      </form>
    </Sheet>
  );
}

interface MembersProps {
  members: readonly UserId[];
  onChange: (members: readonly UserId[]) => void;
}

/** People whom the page knows from other rooms, and anybody else by id. */
function Members({ members, onChange }: MembersProps) {
  const words = useWords();
  const client = useClient();
  const { user: me } = useClientState();
  const nameOf = useProfiles();
  const [query, setQuery] = useState("");
  const wanted = query.trim().toLocaleLowerCase();
  const known = [...client.profiles]
    .filter(([user]) => user !== me && !members.includes(user))
    .filter(([user, { name }]) => name.toLocaleLowerCase().includes(wanted) || user === query.trim())
    .slice(0, SUGGESTIONS);
  const add = (user: UserId) => {
    onChange([...members, user]);
    setQuery("");
  };
  const isStranger = wanted !== "" && !/\s/.test(query.trim()) && !known.some(([user]) => user === query.trim());
  return (
    <div className="field">
      <Line label={words.members} value={query} onChange={setQuery} placeholder={words.membersHint} />
      {members.length > 0 && (
        <ul className="chips">
          {members.map((user) => (
            <li key={user} className="chip">
              <Name name={nameOf(user).name} />
              <button
                type="button"
                aria-label={words.removePerson(plain(nameOf(user).name))}
                onClick={() => onChange(members.filter((other) => other !== user))}
              >
                <CloseIcon />
              </button>
            </li>
          ))}
        </ul>
      )}
      {wanted !== "" && (
        <ul className="suggestions" aria-label={words.people}>
          {known.map(([user, profile]) => (
            <li key={user}>
              <button type="button" className="suggestion" onClick={() => add(user)}>
                <Avatar id={user} profile={profile} size="small" />
                <Name name={profile.name} />
              </button>
            </li>
          ))}
          {isStranger && (
            <li>
              <button type="button" className="suggestion" onClick={() => add(query.trim())}>
                <PlusIcon />
                {words.addById(query.trim())}
              </button>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}
