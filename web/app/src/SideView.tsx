import { CloseIcon } from "./icons.tsx";
import { go, type View } from "./place.ts";
import { useWords } from "./words/index.ts";

interface Props {
  room: string;
  view: Exclude<View, "chat">;
}

/** What stands beside the chat when the address names a call or a board. */
export function SideView({ room, view }: Props) {
  const words = useWords();
  return (
    <aside className="side-note" aria-label={words.views[view]} role="status">
      <span>{words.viewMissing[view]}</span>
      <button type="button" className="icon-button small" title={words.close} onClick={() => go(room)}>
        <CloseIcon />
        <span className="hidden">{words.close}</span>
      </button>
    </aside>
  );
}
