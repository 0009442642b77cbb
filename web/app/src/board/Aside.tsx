// Work that was not taken: told, and kept until its author has copied it or let it go.
import { type SharedDocument, type Aside as Work, Y } from "@stoa/client/documents";
import { useMemo } from "react";
import { say } from "../told.ts";
import { elementsOf } from "./binding/binding.ts";
import { useDocumentState } from "./documents.ts";
import { download } from "./files.ts";
import { TEXT } from "./text.ts";
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
  const { phase } = useDocumentState(shared);
  // Known when the server's content is here again.
  const lost = useMemo(
    () => (phase === "open" ? contentOf(shared, work, kind) : undefined),
    [shared, work, kind, phase],
  );
  if (!lost) return null;
  const { count, content } = lost;
  const copy = () =>
    navigator.clipboard?.writeText(content).then(
      () => say(words.copied),
      () => {},
    );
  const [suffix, type] = kind === "board" ? ["excalidraw", "application/json"] : ["txt", "text/plain"];
  const keep = () => download(`${shared.room}-${shared.name}-${work.id}.${suffix}`, content, type);
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

/** What of the refused work is not in the document: shapes, as the board's component pastes them, or the text. */
function contentOf(shared: SharedDocument, work: Work, kind: string): { count: number; content: string } {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, work.update);
  if (kind !== "board") {
    const text = doc.getText(TEXT).toString();
    return { count: 1, content: text === shared.doc.getText(TEXT).toString() ? "" : text };
  }
  const there = new Map(elementsOf(shared.doc).map((element) => [element.id, JSON.stringify(element)]));
  const lost = elementsOf(doc).filter((element) => there.get(element.id) !== JSON.stringify(element));
  if (lost.length === 0) return { count: 0, content: "" };
  // Its own names: pasted beside what is there they are new shapes.
  const content = { type: "excalidraw/clipboard", elements: lost, files: {} };
  return { count: lost.length, content: JSON.stringify(content) };
}
