import type { Message, RoomState } from "@stoa/client";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { useClient, useProfiles, useRooms } from "../hooks.ts";
import { SearchIcon } from "../icons.tsx";
import { Name } from "../text.tsx";
import { briefTime, fullTimeOf } from "../time.ts";
import { useWords } from "../words/index.ts";
import { usePeopleOf } from "./Completion.tsx";
import { plainText } from "./markdown.ts";
import { Pane } from "./Pane.tsx";

/** A pause in typing, after which it is searched. */
const PAUSE_MS = 250;
const PAGE = 30;
/** Of a long message, what stands around the first word that was found. */
const AROUND = 110;

interface Props {
  state: RoomState;
  onClose: () => void;
  onGo: (message: Message) => void;
  isSheet: boolean;
}

// Making one for each comparison is what makes sorting many names slow.
const order = new Intl.Collator();

interface Question {
  query: string;
  room: string | undefined;
  from: string | undefined;
}

/** Finds messages by their words, in this room or in all. */
export function SearchPane({ state, onClose, onGo, isSheet }: Props) {
  const words = useWords().chat;
  const [query, setQuery] = useState("");
  const [isHere, setHere] = useState(true);
  const [from, setFrom] = useState("");
  const unsorted = usePeopleOf(state, true);
  const people = useMemo(() => [...unsorted].sort((a, b) => order.compare(a.name, b.name)), [unsorted]);
  const answer = useSearch({ query: query.trim(), room: isHere ? state.room : undefined, from: from || undefined });
  return (
    <Pane title={words.searchTitle} onClose={onClose} isSheet={isSheet} testId="search">
      {/* biome-ignore lint/a11y/useSemanticElements: `search` is not known to all that read pages aloud */}
      <form className="search-form" role="search" onSubmit={(event) => event.preventDefault()}>
        <label className="search-field">
          <SearchIcon />
          <span className="hidden">{words.searchField}</span>
          <input
            type="search"
            value={query}
            dir="auto"
            maxLength={200}
            placeholder={words.searchField}
            onChange={(event) => setQuery(event.target.value)}
            // biome-ignore lint/a11y/noAutofocus: it was opened to be typed in
            autoFocus
          />
        </label>
        <div className="search-filters">
          <select
            aria-label={words.searchScope}
            value={isHere ? "here" : "all"}
            onChange={(event) => setHere(event.target.value === "here")}
          >
            <option value="here">{words.searchHere}</option>
            <option value="all">{words.searchEverywhere}</option>
          </select>
          <select aria-label={words.searchFrom} value={from} onChange={(event) => setFrom(event.target.value)}>
            <option value="">{words.searchAnybody}</option>
            {people.map(({ user, name }) => (
              <option key={user} value={user}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </form>
      <div className="pane-body">
        <Results answer={answer} query={query} isEverywhere={!isHere} onGo={onGo} />
      </div>
    </Pane>
  );
}

interface Answer {
  phase: "idle" | "searching" | "done" | "failed";
  messages: readonly Message[];
  next: string | undefined;
  more: () => void;
}

function useSearch({ query, room, from }: Question): Answer {
  const client = useClient();
  const [answer, setAnswer] = useState<Omit<Answer, "more">>({ phase: "idle", messages: [], next: undefined });
  const [after, setAfter] = useState<string>();
  const asked = JSON.stringify([query, room, from]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another question begins at its first page
  useEffect(() => setAfter(undefined), [asked]);
  useEffect(() => {
    if (query === "") {
      setAnswer({ phase: "idle", messages: [], next: undefined });
      return;
    }
    let isGone = false;
    const ask = async () => {
      try {
        const reply = await client.query({ type: "chat.search", query, room, from, after, limit: PAGE });
        if (isGone || reply.kind !== "messages") return;
        setAnswer((before) => ({
          phase: "done",
          messages: after === undefined ? reply.messages : [...before.messages, ...reply.messages],
          next: reply.next,
        }));
      } catch {
        if (!isGone) setAnswer((before) => ({ ...before, phase: "failed" }));
      }
    };
    setAnswer((before) => ({ ...before, phase: "searching" }));
    const handle = setTimeout(ask, after === undefined ? PAUSE_MS : 0);
    return () => {
      isGone = true;
      clearTimeout(handle);
    };
  }, [client, query, room, from, after]);
  return { ...answer, more: () => setAfter(answer.next) };
}

interface ResultsProps {
  answer: Answer;
  query: string;
  isEverywhere: boolean;
  onGo: (message: Message) => void;
}

function Results({ answer, query, isEverywhere, onGo }: ResultsProps) {
  const words = useWords().chat;
  const nameOf = useProfiles();
  const rooms = useRooms();
  const { phase, messages, next } = answer;
  if (phase === "idle") return <Empty text={words.searchHint} />;
  if (phase === "failed") return <Empty title={words.searchFailed} />;
  if (phase === "done" && messages.length === 0) return <Empty title={words.searchNone} text={words.searchNoneText} />;
  const titleOf = (room: string) => rooms.find(({ info }) => info.room === room)?.info.title || room;
  return (
    <>
      <p className="search-count muted" role="status">
        {phase === "searching" ? words.searching : words.found(messages.length, next !== undefined)}
      </p>
      <ul className="cards">
        {messages.map((message) => (
          <li key={`${message.room}/${message.seq}`}>
            <button type="button" className="card hit" onClick={() => onGo(message)}>
              <span className="card-head">
                <Avatar id={message.from ?? ""} profile={nameOf(message.from)} size="small" />
                <Name name={nameOf(message.from).name} />
                <time className="muted" title={fullTimeOf(message.at)}>
                  {briefTime(message.at, Date.now())}
                </time>
              </span>
              {isEverywhere && <Name name={titleOf(message.room)} className="hit-room" />}
              <bdi className="hit-text">{marked(plainText(message.text), query)}</bdi>
            </button>
          </li>
        ))}
      </ul>
      {next !== undefined && phase === "done" && (
        <button type="button" className="button wide" onClick={answer.more}>
          {words.searchMore}
        </button>
      )}
    </>
  );
}

function Empty({ title, text }: { title?: string; text?: string }) {
  return (
    <div className="pane-empty" role="status">
      <SearchIcon />
      {title && <strong>{title}</strong>}
      {text && <p className="muted">{text}</p>}
    </div>
  );
}

/** The text around the words that were looked for, with them marked. */
function marked(text: string, query: string): ReactNode[] {
  const wanted = query.split(/[^\p{L}\p{N}\p{M}]+/u).filter((word) => word !== "");
  if (wanted.length === 0) return [text.slice(0, AROUND * 2)];
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${wanted.join("|")})`, "giu");
  const first = Math.max(0, text.search(pattern));
  const from = first > AROUND ? first - AROUND / 2 : 0;
  const shown = `${from > 0 ? "…" : ""}${text.slice(from, from + AROUND * 2)}${text.length > from + AROUND * 2 ? "…" : ""}`;
  // The parts between the words come at even places, the words at odd ones.
  // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text
  return shown.split(pattern).map((part, at) => (at % 2 === 1 ? <mark key={at}>{part}</mark> : part));
}
