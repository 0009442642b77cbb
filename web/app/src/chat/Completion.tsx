import type { RoomState } from "@stoa/client";
import { useEffect, useMemo, useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { MegaphoneIcon } from "../icons.tsx";
import { useEverybody } from "../members.ts";
import { Name } from "../text.tsx";
import { useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { emojiOf, searchEmoji, useEmoji } from "./emoji.ts";
import type { Named } from "./mentions.ts";

/** Rows that are offered. */
const MOST = 7;
/** People of a large room who are known by having spoken. */
const SPEAKERS = 200;

/** What is being completed: from the sign to the caret. */
interface Asked {
  sign: "@" | ":";
  query: string;
  start: number;
}

export interface Offer {
  key: string;
  /** What it stands for in the text, with the blank behind it. */
  text: string;
  user?: string;
  name: string;
  emoji?: string;
}

// A name has blanks in it: what follows an `@` is looked at up to its third word.
const NAME = /(?:^|[\s([{])@([^\s@]{0,40}(?: [^\s@]{1,40}){0,2})$/u;
const CODE = /(?:^|[\s([{]):([\p{L}\p{N}_+-]{2,40})$/u;
const CLOSED = /(?:^|[\s([{]):([\p{L}\p{N}_+-]{2,40}):$/u;

export function askedAt(text: string, caret: number): Asked | undefined {
  const before = text.slice(Math.max(0, caret - 130), caret);
  const name = NAME.exec(before);
  if (name) return { sign: "@", query: name[1] ?? "", start: caret - (name[1] ?? "").length - 1 };
  const code = CODE.exec(before);
  return code ? { sign: ":", query: code[1] ?? "", start: caret - (code[1] ?? "").length - 1 } : undefined;
}

/** People who may be meant in a room; in a large one, those who are known until somebody is looked for. */
export function usePeopleOf(state: RoomState, isLooked: boolean): readonly Named[] {
  const { nameOf } = useChat();
  const { members, presence, messages } = state;
  const everybody = useEverybody(state, isLooked);
  return useMemo(() => {
    const users = new Set([...members.map(({ user }) => user), ...presence.keys(), ...everybody]);
    for (let index = messages.length - 1; index >= 0 && users.size < everybody.length + SPEAKERS; index -= 1) {
      const from = messages[index]?.from;
      if (from !== undefined) users.add(from);
    }
    return [...users].map((user) => ({ user, name: nameOf(user).name }));
  }, [members, presence, messages, nameOf, everybody]);
}

interface Completion {
  offers: readonly Offer[];
  chosen: number;
  choose: (index: number) => void;
  start: number;
  close: () => void;
  /** The emoji for a shortcode that was just closed with a colon. */
  replace: (text: string, caret: number) => { start: number; emoji: string } | undefined;
}

export function useCompletion(text: string, caret: number, people: readonly Named[]): Completion {
  const words = useWords();
  const { me, rights } = useChat();
  const asked = askedAt(text, caret);
  const [closed, setClosed] = useState<number>();
  const [chosen, choose] = useState(0);
  const emoji = useEmoji(text.includes(":"));
  const isOpen = asked !== undefined && closed !== asked.start;
  const query = isOpen ? `${asked.sign}${asked.query}` : "";
  const offers = useMemo(() => {
    if (query === "") return [];
    if (query.startsWith(":")) {
      const hits = emoji ? searchEmoji(emoji, query.slice(1), MOST) : [];
      return hits.map((hit) => ({ key: hit.emoji, text: `${hit.emoji} `, name: `:${hit.code}:`, emoji: hit.emoji }));
    }
    return offersOf(query.slice(1), people, me, rights.announce ? words.chat.everybody : undefined);
  }, [query, emoji, people, me, rights.announce, words]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another question begins at the first answer
  useEffect(() => choose(0), [query]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was closed stays so until something else is asked
  useEffect(() => {
    if (asked === undefined) setClosed(undefined);
  }, [asked === undefined]);

  return {
    offers,
    chosen: Math.min(chosen, Math.max(0, offers.length - 1)),
    choose,
    start: asked?.start ?? 0,
    close: () => setClosed(asked?.start),
    replace: (now, at) => {
      const code = CLOSED.exec(now.slice(Math.max(0, at - 60), at))?.[1];
      const found = code === undefined || !emoji ? undefined : emojiOf(emoji, code.toLocaleLowerCase());
      return found === undefined || code === undefined ? undefined : { start: at - code.length - 2, emoji: found };
    },
  };
}

const order = new Intl.Collator();

const fold = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();

function offersOf(query: string, people: readonly Named[], me: string | undefined, all: string | undefined): Offer[] {
  const wanted = fold(query);
  const ranked = people
    .filter(({ user }) => user !== me)
    .map((person) => ({ ...person, rank: rankOf(fold(person.name), fold(person.user), wanted) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank || order.compare(a.name, b.name));
  const offers: Offer[] = ranked.map(({ user, name }) => ({ key: user, user, name, text: `@${name} ` }));
  if (all?.startsWith(wanted)) {
    offers.splice(wanted === "" ? offers.length : 0, 0, { key: "", name: all, text: `@${all} ` });
  }
  const shown = offers.slice(0, MOST);
  // A whole name needs no completing: what follows it, and Enter, are not about it any more.
  return shown.length === 1 && fold(shown[0]?.name ?? "") === wanted.trimEnd() ? [] : shown;
}

/** 0 begins with it, 1 has a word that does, 2 is an id that does. */
function rankOf(name: string, user: string, wanted: string): number {
  if (name.startsWith(wanted)) return 0;
  if (name.split(/[\s._-]+/).some((word) => word.startsWith(wanted))) return 1;
  return wanted !== "" && user.startsWith(wanted) ? 2 : 3;
}

interface ListProps {
  id: string;
  completion: Completion;
  onPick: (offer: Offer) => void;
}

export function CompletionList({ id, completion, onPick }: ListProps) {
  const words = useWords();
  const { nameOf } = useChat();
  const { offers, chosen, choose } = completion;
  if (offers.length === 0) return null;
  const isEmoji = offers[0]?.emoji !== undefined;
  return (
    <div
      className="completion"
      id={id}
      role="listbox"
      aria-label={isEmoji ? words.chat.emojiNames : words.chat.mentions}
    >
      {offers.map((offer, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the focus and hears the keys
        <div
          key={offer.key}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === chosen}
          className="completion-row"
          // The field keeps the focus.
          onPointerDown={(event) => event.preventDefault()}
          onPointerMove={() => choose(index)}
          onClick={() => onPick(offer)}
        >
          {offer.emoji !== undefined ? (
            <span className="emoji">{offer.emoji}</span>
          ) : offer.user !== undefined ? (
            <Avatar id={offer.user} profile={nameOf(offer.user)} size="small" />
          ) : (
            <MegaphoneIcon />
          )}
          <Name name={offer.name} />
          {offer.user === undefined && offer.emoji === undefined && (
            <span className="muted">{words.chat.mentionAll}</span>
          )}
        </div>
      ))}
    </div>
  );
}
