// Reads the markdown of messages into a small tree. There is no node for HTML or for pictures: what is not one of these
// marks stays the text that somebody typed.
import MarkdownIt from "markdown-it";

export type Node =
  | { kind: "text"; text: string }
  | { kind: "break" }
  | { kind: "code"; text: string }
  | { kind: "fence"; text: string; language: string }
  | { kind: "link"; url: string; parts: Node[] }
  | { kind: "strong" | "em" | "strike" | "paragraph" | "quote" | "item"; parts: Node[] }
  | { kind: "bullets"; parts: Node[] }
  | { kind: "numbers"; start: number; parts: Node[] };

/** Quotes in lists in quotes: deeper than this is nobody's meaning, and is shown as it was typed. */
const DEEPEST = 12;
/** Messages whose trees are kept: some screens' worth, so that scrolling back and forth parses nothing twice. */
const KEPT = 1_000;
/** Longer ones are read anew: keeping them would cost more than it saves. */
const KEPT_CHARS = 2_000;

const reader = new MarkdownIt("default", { html: false, linkify: true, breaks: true, maxNesting: DEEPEST });
// Talk has no headings, tables, rules or pictures; `#1` and `---` mean what they say.
reader.disable([
  "heading",
  "lheading",
  "code",
  "reference",
  "image",
  "html_block",
  "html_inline",
  "hr",
  "table",
  "entity",
]);
// What is no address to everybody (`readme.md`, `ada@example`) is none here.
reader.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });

const kept = new Map<string, Node[]>();

export function parse(text: string): Node[] {
  const known = kept.get(text);
  if (known) return known;
  const tree = read(text);
  if (text.length <= KEPT_CHARS) {
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value as string);
    kept.set(text, tree);
  }
  return tree;
}

/** Nothing in these can be a mark or an address. */
const PLAIN = /^[^*_~`[\]()<>\\:#\-+\n\d]*$/;

function read(text: string): Node[] {
  const asTyped: Node[] = [{ kind: "paragraph", parts: [{ kind: "text", text }] }];
  if (PLAIN.test(text)) return asTyped;
  const tokens = reader.parse(text, {});
  // The reader leaves out what lies too deep.
  if (tokens.some((token) => token.level >= DEEPEST - 1)) return asTyped;
  const tree = build(tokens);
  return tree.length === 0 ? asTyped : tree;
}

type Token = ReturnType<typeof reader.parse>[number];

/** Tokens come flat, with opening and closing ones. */
function build(tokens: readonly Token[]): Node[] {
  const top: Node[] = [];
  const open: Node[][] = [top];
  const add = (node: Node) => open.at(-1)?.push(node);
  for (const token of tokens) {
    if (token.nesting > 0) {
      const node = opened(token);
      add(node);
      open.push(node.parts);
    } else if (token.nesting < 0) {
      open.pop();
    } else if (token.type === "inline") {
      for (const node of build(token.children ?? [])) add(node);
    } else if (token.type === "softbreak" || token.type === "hardbreak") {
      add({ kind: "break" });
    } else if (token.type === "code_inline") {
      add({ kind: "code", text: token.content });
    } else if (token.type === "fence") {
      add({ kind: "fence", text: token.content.replace(/\n$/, ""), language: token.info.trim() });
    } else {
      add({ kind: "text", text: token.content });
    }
  }
  return top;
}

function opened(token: Token): Node & { parts: Node[] } {
  switch (token.type) {
    case "strong_open":
      return { kind: "strong", parts: [] };
    case "em_open":
      return { kind: "em", parts: [] };
    case "s_open":
      return { kind: "strike", parts: [] };
    case "link_open":
      return { kind: "link", url: String(token.attrGet("href") ?? ""), parts: [] };
    case "blockquote_open":
      return { kind: "quote", parts: [] };
    case "bullet_list_open":
      return { kind: "bullets", parts: [] };
    case "ordered_list_open":
      return { kind: "numbers", start: Number(token.attrGet("start") ?? 1), parts: [] };
    case "list_item_open":
      return { kind: "item", parts: [] };
    default:
      return { kind: "paragraph", parts: [] };
  }
}

/** The address, when it is one that may be followed: of the web or of a mailbox, and not made to look like another. */
export function safeUrl(url: string): URL | undefined {
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol === "mailto:") return parsed;
  // A name in front of an `@` makes an address look like another site's.
  return /^https?:$/.test(parsed.protocol) && parsed.username === "" && parsed.password === "" ? parsed : undefined;
}

/** Everything that is shown, as text: for quotes, lists and what is read aloud. */
export function plainText(text: string): string {
  return wordsOf(parse(text)).trim();
}

function wordsOf(nodes: readonly Node[]): string {
  return nodes.map(wordsIn).join("");
}

function wordsIn(node: Node): string {
  switch (node.kind) {
    case "text":
    case "code":
    case "fence":
      return node.text;
    case "break":
      return " ";
    case "paragraph":
    case "item":
      return `${wordsOf(node.parts)} `;
    case "link":
    case "strong":
    case "em":
    case "strike":
    case "quote":
    case "bullets":
    case "numbers":
      return wordsOf(node.parts);
  }
}
