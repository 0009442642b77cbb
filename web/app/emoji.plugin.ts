// Makes `virtual:emoji/en` and `/fr` from emojibase's data: what the picker and the completion need, and nothing else,
// as scripts of the page's own, so that nothing is fetched from elsewhere.
import { createRequire } from "node:module";
import type { Plugin } from "vite";

const require = createRequire(import.meta.url);
const PREFIX = "virtual:emoji/";
const TONES = 5;

interface Emojibase {
  emoji: string;
  hexcode: string;
  label: string;
  tags?: string[];
  group?: number;
  order?: number;
  version: number;
  skins?: { emoji: string; tone: number | number[] }[];
}

type Codes = Record<string, string | string[] | undefined>;

interface Messages {
  groups: { key: string; message: string; order: number }[];
  skinTones: { key: string; message: string }[];
}

export function emoji(): Plugin {
  return {
    name: "emoji",
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    load: (id) =>
      id.startsWith(`\0${PREFIX}`)
        ? `export default JSON.parse(${JSON.stringify(JSON.stringify(read(id.slice(PREFIX.length + 1))))})`
        : undefined,
  };
}

function read(language: string) {
  const all = require(`emojibase-data/${language}/data.json`) as Emojibase[];
  const { groups, skinTones } = require(`emojibase-data/${language}/messages.json`) as Messages;
  // English shortcodes are what hands are used to, in every language.
  const sets: Codes[] = [
    require("emojibase-data/en/shortcodes/emojibase.json"),
    require("emojibase-data/en/shortcodes/github.json"),
  ];
  if (language !== "en") sets.unshift(require(`emojibase-data/${language}/shortcodes/cldr.json`));
  const codesOf = (hexcode: string) => [...new Set(sets.flatMap((set) => set[hexcode] ?? []))];
  const shown = all.filter(({ group }) => group !== undefined && group !== 2);
  shown.sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  return {
    groups: groups.filter(({ order }) => order !== 2).map(({ order, message }) => [order, message]),
    tones: skinTones.map(({ message }) => message),
    rows: shown.map(({ emoji, hexcode, label, tags, group, version, skins }) => {
      const single = (skins ?? []).filter(({ tone }) => typeof tone === "number").map((skin) => skin.emoji);
      const row = [emoji, label, tags ?? [], codesOf(hexcode), group, version];
      return single.length === TONES ? [...row, single] : row;
    }),
  };
}
