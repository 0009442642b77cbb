// What is told of a document beside it: whether everything is kept, whether one may write, how full it is.
import type { SharedDocument } from "@stoa/client/documents";
import { useDocumentState } from "./documents.ts";
import { useBoardWords } from "./words.ts";

/** Whether everything is kept, and whether one may write. */
export function Status({ shared, isManager }: { shared: SharedDocument; isManager: boolean }) {
  const words = useBoardWords();
  const { phase, waiting, mayEdit, hasContent, info } = useDocumentState(shared);
  if (phase === "refused") return null;
  const isAway = phase === "offline" || (phase === "opening" && hasContent);
  const [tone, text] =
    isAway && waiting > 0
      ? ["warn", words.offlineWaiting(waiting)]
      : isAway
        ? ["warn", words.stale]
        : phase !== "open"
          ? ["plain", words.opening]
          : waiting > 0
            ? ["plain", words.saving]
            : ["good", words.saved];
  const isOpen = phase === "open";
  return (
    <p className="stage-status">
      <span className={`stage-saved ${tone}`} role="status" data-testid="saved">
        {text}
      </span>
      {isOpen && !mayEdit && (
        <span className="stage-right" data-testid="right">
          {info?.locked ? words.lockedForMe : words.readOnly}
        </span>
      )}
      {isOpen && mayEdit && info?.locked && isManager && (
        <span className="stage-right" data-testid="right">
          {words.lockedForOthers}
        </span>
      )}
    </p>
  );
}

/** Told before nothing more can be added, and when. */
export function Fill({ shared }: { shared: SharedDocument }) {
  const words = useBoardWords();
  const { fill, mayEdit } = useDocumentState(shared);
  if (fill === undefined || !mayEdit) return null;
  return (
    <p className={`stage-fill ${fill >= 100 ? "full" : ""}`} role="status" data-testid="fill">
      {fill >= 100 ? words.full : words.nearlyFull(fill)}
    </p>
  );
}
