// What the stage has tabs for: the room's documents that the page can show, and the kinds that nobody has begun.
import type { DocumentInfo } from "@stoa/client";

export const KINDS = ["board", "notes", "code"] as const;
export type Kind = (typeof KINDS)[number];

/** The document that every room has from its first moment, and that cannot be deleted. */
export const FIRST = "board";
/** The server's bound of the documents of a room. */
export const MOST_DOCUMENTS = 50;
/** Three bytes each, which is the most per unit of JavaScript's strings, are within the server's bound of 256. */
export const TITLE_CHARS = 85;

export interface Tab {
  /** The document's name; where there is none yet, the one that it will have. */
  id: string;
  kind: Kind;
  label: string;
  /** None: nobody has begun it. */
  info?: DocumentInfo;
}

/**
 * The tabs by age, behind the room's first board; then the kinds that nobody has begun. Documents of other kinds are for
 * other pages.
 */
export function tabsOf(list: readonly DocumentInfo[], words: Record<Kind, string>): Tab[] {
  const titles = new Set(list.map(titleOf));
  const labels = KINDS.map((kind) => [kind, numbered(words[kind], titles)] as const);
  const begun = [...list].sort(byAge).flatMap((info): Tab[] => {
    const [kind, next] = labels.find(([each]) => each === info.kind) ?? [];
    return kind && next ? [{ id: info.document, kind, label: titleOf(info) || next(), info }] : [];
  });
  const missing = KINDS.filter((kind) => kind !== "board" && !begun.some((tab) => tab.kind === kind));
  return [...begun, ...missing.map((kind) => ({ id: nameFor(kind, list), kind, label: words[kind] }))];
}

/** The tab that an address asks for, which may name a kind alone. */
export function tabFor(tabs: readonly Tab[], wanted: string | undefined): Tab | undefined {
  if (wanted === undefined) return tabs[0];
  return tabs.find(({ id }) => id === wanted) ?? tabs.find(({ kind }) => kind === wanted);
}

/** What a document without a title would be called beside those of the list. */
export function labelFor(kind: Kind, list: readonly DocumentInfo[], words: Record<Kind, string>): string {
  const label = numbered(words[kind], new Set(list.map(titleOf)));
  for (const info of list) if (info.kind === kind && titleOf(info) === "") label();
  return label();
}

/** The name of the first document of a kind: the kind's own, where no other one has taken it. */
function nameFor(kind: Kind, list: readonly DocumentInfo[]): string {
  const taken = new Set(list.map(({ document }) => document));
  let name: string = kind;
  for (let number = 2; taken.has(name); number += 1) name = `${kind}-${number}`;
  return name;
}

/** A name that no document had before: an address never leads to another document than the one that it was made for. */
export function newName(kind: Kind, random: Uint32Array): string {
  return `${kind}-${[...random].map((word) => word.toString(36).padStart(7, "0")).join("")}`;
}

function titleOf({ title }: DocumentInfo): string {
  return (title ?? "").trim();
}

function byAge(a: DocumentInfo, b: DocumentInfo): number {
  const first = Number(b.document === FIRST) - Number(a.document === FIRST);
  return first || a.created_at - b.created_at || (a.document < b.document ? -1 : 1);
}

/** The word, then the word with numbers from 2 on, without those that somebody has given as a title. */
function numbered(word: string, titles: ReadonlySet<string>): () => string {
  let number = 0;
  const next = (): string => {
    number += 1;
    const label = number === 1 ? word : `${word} ${number}`;
    return titles.has(label) ? next() : label;
  };
  return next;
}
