// Work that was not taken: told, and kept until its author has put it back, copied it or let it go.
import type { SharedDocument, Aside as Work } from "@stoa/client/documents";
import { useMemo } from "react";
import { say } from "../told.ts";
import { useDocumentState } from "./documents.ts";
import { download } from "./files.ts";
import { lostOf } from "./lost.ts";
import { type BoardWords, useBoardWords } from "./words.ts";

export function Asides({ document: shared, kind }: { document: SharedDocument; kind: string }) {
  const { aside } = useDocumentState(shared);
  return aside.map((work) => <OneAside key={work.id} shared={shared} work={work} kind={kind} />);
}

interface OneProps {
  shared: SharedDocument;
  work: Work;
  kind: string;
}

function OneAside({ shared, work, kind }: OneProps) {
  const words = useBoardWords();
  const { phase, mayEdit } = useDocumentState(shared);
  const { doc } = shared;
  // Known when the server's content is here again.
  const lost = useMemo(() => (phase === "open" ? lostOf(doc, work, kind) : undefined), [doc, work, kind, phase]);
  if (!lost) return null;
  const { count, content, putBack } = lost;
  const copy = () =>
    navigator.clipboard?.writeText(content).then(
      () => say(words.copied),
      () => {},
    );
  const [suffix, type] = kind === "board" ? ["excalidraw", "application/json"] : ["txt", "text/plain"];
  const keep = () => download(`${shared.room}-${shared.name}-${work.at}.${suffix}`, content, type);
  const again = () => {
    putBack?.(shared.doc);
    shared.forget(work.id);
  };
  return (
    <div className="aside" role="alert" data-testid="aside">
      <p>
        <strong>{words.aside(Math.max(count, 1))}</strong>{" "}
        <span className="muted">
          {reasonOf(words, work)}
          {content === "" && ` (${words.asideEmpty})`}
        </span>
      </p>
      <div className="row">
        {putBack && mayEdit && count > 0 && (
          <button type="button" className="button primary" title={words.putBackWhy} onClick={again}>
            {words.putBack}
          </button>
        )}
        {content !== "" && navigator.clipboard && (
          <button type="button" className="button" onClick={() => void copy()}>
            {words.copy}
          </button>
        )}
        {content !== "" && (
          <button type="button" className="button" onClick={keep}>
            {words.download}
          </button>
        )}
        <button type="button" className="button" onClick={() => shared.forget(work.id)}>
          {words.drop}
        </button>
      </div>
    </div>
  );
}

function reasonOf(words: BoardWords, { reason, message }: Work): string {
  return Object.hasOwn(words.asideReasons, reason) ? words.asideReasons[reason] : message;
}
