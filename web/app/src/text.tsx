// What people wrote, shown as text and nothing else: React makes text nodes, and the only elements are links to web
// addresses that are written out.
import { Fragment, type ReactNode } from "react";

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/gi;
/** What ends a sentence and not the address in it. */
const AFTER = /[.,;:!?…)\]}*_]+$/;

export function Words({ text }: { text: string }) {
  const parts: ReactNode[] = [];
  let done = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trim(match[0]);
    const url = URL.canParse(address) ? new URL(address) : undefined;
    // An address with a name in front of an `@` is made to look like another site's.
    if (!url || !/^https?:$/.test(url.protocol) || url.username !== "") continue;
    parts.push(
      <Fragment key={match.index}>
        {text.slice(done, match.index)}
        <a href={url.href} target="_blank" rel="noopener noreferrer nofollow">
          <bdi>{address}</bdi>
        </a>
      </Fragment>,
    );
    done = match.index + address.length;
  }
  parts.push(<Fragment key="end">{text.slice(done)}</Fragment>);
  return parts;
}

function trim(address: string): string {
  const end = AFTER.exec(address);
  if (!end) return address;
  // A bracket that was opened inside the address belongs to it.
  const isOpen = end[0].startsWith(")") && address.slice(0, end.index).includes("(");
  return address.slice(0, isOpen ? end.index + 1 : end.index);
}

/** One line of a message, for lists and quotes. */
export function excerpt(text: string, most = 160): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…` : line;
}

const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name for a place that takes no elements (a window's title, a label): without what turns the writing direction. */
export function plain(name: string): string {
  return name.replace(TURNS, "");
}

/** A name that cannot turn the writing direction of what surrounds it. */
export function Name({ name, className }: { name: string; className?: string }) {
  return <bdi className={`name ${className ?? ""}`}>{name}</bdi>;
}
