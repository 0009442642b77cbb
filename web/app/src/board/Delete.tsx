// Asks before a document is deleted, and says what is lost with it.
import type { Room } from "@stoa/client";
import type { SharedDocument } from "@stoa/client/documents";
import { Problem, Sheet } from "../dialogs/parts.tsx";
import { useWork } from "../dialogs/work.ts";
import { plain } from "../text.tsx";
import { useWords } from "../words/index.ts";
import { useDocumentState } from "./documents.ts";
import { useOthers } from "./Here.tsx";
import type { Tab } from "./tabs.ts";
import { takeAway } from "./takeAway.ts";
import { useBoardWords } from "./words.ts";

interface Props {
  room: Room;
  document: SharedDocument;
  tab: Tab;
  onClose: () => void;
}

export default function Delete({ room, document: shared, tab, onClose }: Props) {
  const words = useBoardWords();
  const all = useWords();
  const { hasContent } = useDocumentState(shared);
  const others = useOthers(shared).length;
  const { isBusy, problem, run } = useWork();
  // What follows is the list's to tell, to this page as to everybody's.
  const remove = async () => {
    if (await run(() => room.command({ type: "doc.delete", document: shared.name }))) onClose();
  };
  return (
    <Sheet title={words.deleteAsk(plain(tab.label))} onClose={onClose} isWide>
      <p>{words.deleteWhy}</p>
      {others > 0 && <p>{words.deleteOthers(others)}</p>}
      <Problem text={problem} />
      <div className="dialog-actions stage-delete">
        {hasContent && (
          <button type="button" className="button" onClick={() => void takeAway(shared, tab.kind)}>
            {words.downloadFirst}
          </button>
        )}
        <span className="stage-space" />
        <button type="button" className="button" onClick={onClose}>
          {all.cancel}
        </button>
        <button type="button" className="button danger" disabled={isBusy} onClick={() => void remove()}>
          {words.deleteForAll}
        </button>
      </div>
    </Sheet>
  );
}
