import type { Chat } from "./chat.ts";

/** Pages that are not served over TLS have no clipboard of their own. */
export function copy(text: string, told: string, actions: Pick<Chat["actions"], "tell">): void {
  const done = () => actions.tell(told);
  if (navigator.clipboard) return void navigator.clipboard.writeText(text).then(done, () => {});
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  if (document.execCommand("copy")) done();
  field.remove();
}
