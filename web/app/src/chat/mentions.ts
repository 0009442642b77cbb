// Who is meant by `@Ada Lovelace` in a text. A message names users by id beside its words; the words have their names.

export interface Named {
  user: string;
  name: string;
}

export interface Mention {
  start: number;
  end: number;
  /** `undefined` is everybody. */
  user: string | undefined;
}

/** Words that mean everybody, in the languages of the page. */
export const EVERYBODY = ["all", "tous"];

const LETTER = /[\p{L}\p{N}_]/u;

/** Every place where one of `people` (or everybody) is named after an `@`; of two names, the longer one. */
export function findMentions(text: string, people: readonly Named[], withAll: boolean): Mention[] {
  if (!text.includes("@")) return [];
  const all = withAll ? EVERYBODY.map((name) => ({ user: undefined, name })) : [];
  const names = [...people, ...all]
    .filter(({ name }) => name !== "")
    .sort((a, b) => b.name.length - a.name.length)
    .map(({ user, name }) => ({ user, name: name.toLocaleLowerCase() }));
  const lower = text.toLocaleLowerCase();
  // A few letters change their length with their case; then nothing could be found where it is.
  const words = lower.length === text.length ? lower : text;
  const found: Mention[] = [];
  for (let at = words.indexOf("@"); at >= 0; at = words.indexOf("@", at + 1)) {
    if (at > 0 && LETTER.test(words[at - 1] ?? "")) continue;
    const hit = names.find(({ name }) => {
      const end = at + 1 + name.length;
      return words.startsWith(name, at + 1) && !(LETTER.test(words[end - 1] ?? "") && LETTER.test(words[end] ?? ""));
    });
    if (hit) found.push({ start: at, end: at + 1 + hit.name.length, user: hit.user });
  }
  return found;
}
