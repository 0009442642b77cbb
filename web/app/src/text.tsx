// Words of people in places that take no marks: names, titles, lines of a list.
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
