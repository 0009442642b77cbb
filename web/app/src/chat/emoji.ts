// Emoji: which texts are nothing else, and which emoji a name means. The data are emojibase's, built into the page in
// each language and fetched from this server when they are first wanted.
import { useEffect, useState } from "react";
import { local } from "../kept.ts";
import { currentLocale } from "../words/index.ts";

/** `[emoji, label, tags, shortcodes, group, version, skins in five tones]`; see `vite.config.ts`. */
export type EmojiRow = readonly [string, string, string[], string[], number, number, string[]?];

export interface EmojiFile {
  groups: readonly (readonly [number, string])[];
  tones: readonly string[];
  rows: readonly EmojiRow[];
}

/** More than so many in a row are text like any other. */
const MOST_BIG = 8;
const ONE = "\\p{RI}{2}|[\\d#*]\\ufe0f?\\u20e3|\\p{Emoji_Presentation}|\\p{Extended_Pictographic}\\ufe0f?";
const TAIL = "(?:\\p{Emoji_Modifier}|[\\u{e0020}-\\u{e007f}]|\\u200d(?:\\p{Extended_Pictographic}\\ufe0f?))*";
const ONLY = new RegExp(`^(?:\\s*(?:${ONE})\\p{Emoji_Modifier}?${TAIL}\\ufe0f?)+\\s*$`, "u");

const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The emoji, when a text is a few of them and nothing else. */
export function parse(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.length > MOST_BIG * 12 || !ONLY.test(trimmed)) return undefined;
  const count = [...segments.segment(trimmed.replace(/\s+/g, ""))].length;
  return count <= MOST_BIG ? trimmed : undefined;
}

export type EmojiLanguage = "en" | "fr";

export function emojiLanguage(): EmojiLanguage {
  return currentLocale().toLowerCase().startsWith("fr") ? "fr" : "en";
}

const files = new Map<EmojiLanguage, Promise<EmojiFile>>();

export function loadEmoji(language: EmojiLanguage): Promise<EmojiFile> {
  const known = files.get(language);
  if (known) return known;
  const loading = (language === "fr" ? import("virtual:emoji/fr") : import("virtual:emoji/en")).then(
    (module) => module.default,
  );
  // A page that was loaded while the server was away asks again.
  loading.catch(() => files.delete(language));
  files.set(language, loading);
  return loading;
}

/** The data, once they are wanted. */
export function useEmoji(isWanted: boolean): EmojiFile | undefined {
  const language = emojiLanguage();
  const [file, setFile] = useState<{ language: EmojiLanguage; data: EmojiFile }>();
  useEffect(() => {
    if (!isWanted) return;
    let isGone = false;
    loadEmoji(language).then(
      (data) => {
        if (!isGone) setFile({ language, data });
      },
      () => {},
    );
    return () => {
      isGone = true;
    };
  }, [isWanted, language]);
  return file?.language === language ? file.data : undefined;
}

export interface EmojiHit {
  emoji: string;
  code: string;
}

/** Emoji by the beginning of a shortcode, then by what is inside of one, then by their other names. */
export function searchEmoji(file: EmojiFile, query: string, most: number): EmojiHit[] {
  const wanted = query.toLocaleLowerCase();
  const begins: EmojiHit[] = [];
  const contains: EmojiHit[] = [];
  const means: EmojiHit[] = [];
  for (const [emoji, , tags, codes] of file.rows) {
    const first = codes.find((code) => code.startsWith(wanted));
    if (first !== undefined) begins.push({ emoji, code: first });
    else if (wanted.length > 1) {
      const inside = codes.find((code) => code.includes(wanted));
      if (inside !== undefined) contains.push({ emoji, code: inside });
      else if (tags.some((tag) => tag.startsWith(wanted))) means.push({ emoji, code: codes[0] ?? wanted });
    }
  }
  begins.sort((a, b) => a.code.length - b.code.length);
  return [...begins, ...contains, ...means].slice(0, most);
}

/** The emoji that a whole shortcode means. */
export function emojiOf(file: EmojiFile, code: string): string | undefined {
  return file.rows.find(([, , , codes]) => codes.includes(code))?.[0];
}

const RECENT = "stoa.emoji";
const USUAL = ["👍", "❤️", "😄", "🎉", "🙏", "👀"];

/** What this browser's user reacts with most recently, filled up with what everybody does. */
export function usualEmoji(count = USUAL.length): string[] {
  return [...new Set([...recent(), ...USUAL])].slice(0, count);
}

export function rememberEmoji(emoji: string): void {
  try {
    local.setItem(RECENT, JSON.stringify([...new Set([emoji, ...recent()])].slice(0, USUAL.length)));
  } catch {
    // Not kept; then it is the usual ones.
  }
}

function recent(): string[] {
  try {
    const kept: unknown = JSON.parse(local.getItem(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string" && each.length < 40) : [];
  } catch {
    return [];
  }
}
