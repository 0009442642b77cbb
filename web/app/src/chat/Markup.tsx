// A message as it is shown. React makes text nodes and the few elements below; there is no other way for anything that
// somebody wrote to become part of the page.
import { Fragment, memo, type ReactNode } from "react";
import { parse as parseEmoji } from "./emoji.ts";
import { type Node, parse, safeUrl } from "./markdown.ts";
import { findMentions, type Named } from "./mentions.ts";

interface Props {
  text: string;
  /** Whom the message names, so that their names stand out. */
  people?: readonly Named[];
  /** Whether it means everybody. */
  isForAll?: boolean;
  /** The reader, to whom their own name stands out more. */
  me?: string;
}

interface Context {
  people: readonly Named[];
  isForAll: boolean;
  me: string | undefined;
}

const NOBODY: readonly Named[] = [];

export const Markup = memo(({ text, people = NOBODY, isForAll = false, me }: Props) => {
  const emoji = parseEmoji(text);
  if (emoji) return <span className="big-emoji">{emoji}</span>;
  return <>{render(parse(text), { people, isForAll, me })}</>;
});

function render(nodes: readonly Node[], context: Context): ReactNode {
  // biome-ignore lint/suspicious/noArrayIndexKey: the tree of a text never changes
  return nodes.map((node, index) => <Fragment key={index}>{element(node, context)}</Fragment>);
}

function element(node: Node, context: Context): ReactNode {
  switch (node.kind) {
    case "text":
      return <Text text={node.text} context={context} />;
    case "break":
      return <br />;
    case "code":
      return (
        <code>
          <bdi>{node.text}</bdi>
        </code>
      );
    case "fence":
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what is wider than its box is scrolled by keyboard, too
        <pre tabIndex={0} dir="ltr">
          <code>{node.text}</code>
        </pre>
      );
    case "link":
      return <Link url={node.url} parts={node.parts} context={context} />;
    case "strong":
      return <strong>{render(node.parts, context)}</strong>;
    case "em":
      return <em>{render(node.parts, context)}</em>;
    case "strike":
      return <s>{render(node.parts, context)}</s>;
    case "paragraph":
      return <p dir="auto">{render(node.parts, context)}</p>;
    case "quote":
      return <blockquote>{render(node.parts, context)}</blockquote>;
    case "item":
      return <li dir="auto">{render(node.parts, context)}</li>;
    case "bullets":
      return <ul>{render(node.parts, context)}</ul>;
    case "numbers":
      return <ol start={node.start}>{render(node.parts, context)}</ol>;
  }
}

function Link({ url, parts, context }: { url: string; parts: Node[]; context: Context }) {
  const safe = safeUrl(url);
  if (!safe) return <bdi>{render(parts, context)}</bdi>;
  const only = parts.length === 1 ? parts[0] : undefined;
  const label = only?.kind === "text" ? only.text : undefined;
  return (
    <a href={safe.href} target="_blank" rel="noopener noreferrer nofollow" title={safe.href}>
      {/* Words that are another address would hide where this one goes. */}
      {label !== undefined && isOther(label, safe) ? <bdi>{safe.href}</bdi> : <bdi>{render(parts, context)}</bdi>}
    </a>
  );
}

/** Whether a label looks like an address, but not like this one. */
function isOther(label: string, url: URL): boolean {
  const named = /^\s*(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?:[:/?#]|\s*$)/iu.exec(label)?.[1];
  return named !== undefined && url.protocol !== "mailto:" && named.toLowerCase() !== url.hostname.toLowerCase();
}

function Text({ text, context }: { text: string; context: Context }) {
  const { people, isForAll, me } = context;
  const mentions = people.length > 0 || isForAll ? findMentions(text, people, isForAll) : [];
  if (mentions.length === 0) return text;
  const parts: ReactNode[] = [];
  let done = 0;
  for (const { start, end, user } of mentions) {
    const isMine = user === undefined || user === me;
    parts.push(
      text.slice(done, start),
      <bdi key={start} className={`mention ${isMine ? "mine" : ""}`}>
        {text.slice(start, end)}
      </bdi>,
    );
    done = end;
  }
  parts.push(text.slice(done));
  return parts;
}
