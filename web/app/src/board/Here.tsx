// Who else is at a document, in the colours of their cursors. On a board one can look where somebody looks.
import type { Awareness, SharedDocument } from "@stoa/client/documents";
import { useCallback, useEffect, useRef, useState } from "react";
import { useDoc } from "./documents.ts";
import { othersOf } from "./presence.ts";
import { useBoardWords } from "./words.ts";

interface Person {
  /** One of their tabs: the one that came last. */
  client: string;
  user: string;
  name: string;
  color: string;
}

const MOST_SHOWN = 5;

function peopleOf(awareness: Awareness): Person[] {
  const people = new Map<string, Person>();
  for (const { client, user, name, color } of othersOf(awareness).others) {
    if (name !== "") people.set(user || String(client), { client: String(client), user, name, color });
  }
  return [...people.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Who else is at it; each of them once, however many tabs they have. */
export function useOthers(shared: SharedDocument): readonly Person[] {
  useDoc(shared);
  const { awareness } = shared;
  const [people, setPeople] = useState<readonly Person[]>(() => peopleOf(awareness));
  const shown = useRef("");
  const look = useCallback(() => {
    const now = peopleOf(awareness);
    // Cursors move all the time; people come and go.
    const key = JSON.stringify(now);
    if (key === shown.current) return;
    shown.current = key;
    setPeople(now);
  }, [awareness]);
  useEffect(() => {
    look();
    awareness.on("change", look);
    return () => awareness.off("change", look);
  }, [awareness, look]);
  return people;
}

interface Props {
  document: SharedDocument;
  following: string | undefined;
  /** None: there is nothing to follow. */
  onFollow: ((client: string | undefined) => void) | undefined;
}

export function Here({ document: shared, following, onFollow }: Props) {
  const words = useBoardWords();
  const people = useOthers(shared);
  if (people.length === 0) return null;
  const rest = people.length - MOST_SHOWN;
  return (
    <ul className="here" aria-label={words.people(people.length)} data-testid="here">
      {people.slice(0, MOST_SHOWN).map(({ client, name, color }) => (
        <li key={client}>
          {onFollow ? (
            <button
              type="button"
              className="here-face"
              title={words.follow(name)}
              aria-label={words.follow(name)}
              aria-pressed={client === following}
              style={{ backgroundColor: color }}
              onClick={() => onFollow(client === following ? undefined : client)}
            >
              {initial(name)}
            </button>
          ) : (
            <span className="here-face" title={name} style={{ backgroundColor: color }}>
              <span aria-hidden="true">{initial(name)}</span>
              <span className="hidden">{name}</span>
            </span>
          )}
        </li>
      ))}
      {rest > 0 && <li className="here-rest">+{rest}</li>}
    </ul>
  );
}

function initial(name: string): string {
  return [...name][0]?.toUpperCase() ?? "";
}
