// Marks around what is selected, as the keyboard and the buttons set them.
export type Mark = "bold" | "italic" | "strike" | "code" | "quote" | "bullets" | "link";

const AROUND: Partial<Record<Mark, string>> = { bold: "**", italic: "_", strike: "~~", code: "`" };
const BEFORE: Partial<Record<Mark, string>> = { quote: "> ", bullets: "- " };

export interface Selected {
  text: string;
  start: number;
  end: number;
}

export interface Change {
  /** What is replaced, and by what. */
  start: number;
  end: number;
  by: string;
  /** What is selected then. */
  select: [number, number];
}

/** Sets a mark, or takes it away where it is already. */
export function mark(kind: Mark, { text, start, end }: Selected): Change {
  const around = AROUND[kind];
  if (around) return wrap(around, text, start, end);
  const before = BEFORE[kind];
  if (before) return prefix(before, text, start, end);
  const label = text.slice(start, end);
  if (/^https?:\/\/\S+$/.test(label)) return { start, end, by: `[](${label})`, select: [start + 1, start + 1] };
  const address = start + label.length + 3;
  return { start, end, by: `[${label}](https://)`, select: [address, address + 8] };
}

function wrap(around: string, text: string, start: number, end: number): Change {
  const size = around.length;
  const inner = text.slice(start, end);
  if (text.slice(start - size, start) === around && text.slice(end, end + size) === around) {
    return { start: start - size, end: end + size, by: inner, select: [start - size, end - size] };
  }
  // Blanks at the ends would keep the mark from being one.
  const head = inner.length - inner.trimStart().length;
  const tail = inner.trim() === "" ? 0 : inner.length - inner.trimEnd().length;
  const from = start + (inner.trim() === "" ? 0 : head);
  const to = end - tail;
  return { start: from, end: to, by: around + text.slice(from, to) + around, select: [from + size, to + size] };
}

function prefix(before: string, text: string, start: number, end: number): Change {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const lines = text.slice(from, end).split("\n");
  const isSet = lines.every((line) => line.startsWith(before));
  const by = lines.map((line) => (isSet ? line.slice(before.length) : before + line)).join("\n");
  return { start: from, end, by, select: [from + by.length, from + by.length] };
}

/** The mark that a key stands for; `undefined` for any other key. */
export function markOf(event: {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}): Mark | undefined {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return undefined;
  const key = event.key.toLowerCase();
  if (event.shiftKey) return key === "x" ? "strike" : undefined;
  return ({ b: "bold", i: "italic", e: "code", k: "link" } as const)[key as "b"];
}

/** Replaces a part of a field as if it was typed, so that the browser can undo it. */
export function applyChange(field: HTMLTextAreaElement, { start, end, by, select }: Change): void {
  field.focus();
  field.setSelectionRange(start, end);
  // The only way that keeps the browser's own undo; it is deprecated and has no successor.
  const isDone = by === "" ? document.execCommand("delete") : document.execCommand("insertText", false, by);
  if (!isDone) {
    field.setRangeText(by, start, end, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  field.setSelectionRange(...select);
}

/** What Enter does in a list or a quote: the next line goes on with it, an empty one ends it. */
export function continued({ text, start, end }: Selected): Change | undefined {
  if (start !== end) return undefined;
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const line = text.slice(from, start);
  const begin = /^(\s*(?:[-*]|(\d{1,4})\.|>)\s)(.*)$/.exec(line);
  if (!begin) return undefined;
  const [, head = "", number, rest] = begin;
  if (rest === "") return { start: from, end: start, by: "", select: [from, from] };
  const next = number === undefined ? head : head.replace(number, String(Number(number) + 1));
  return { start, end, by: `\n${next}`, select: [start + 1 + next.length, start + 1 + next.length] };
}
