// What was typed and not sent, per user and room. It outlives the tab: nobody loses what they typed.
const name = (user: string, room: string) => `stoa.draft:${user}:${room}`;

export function readDraft(user: string, room: string): string {
  try {
    return localStorage.getItem(name(user, room)) ?? "";
  } catch {
    return "";
  }
}

export function keepDraft(user: string, room: string, text: string): void {
  try {
    if (text === "") localStorage.removeItem(name(user, room));
    else localStorage.setItem(name(user, room), text);
  } catch {
    // Storage is full or forbidden; the text is still in its field.
  }
}
