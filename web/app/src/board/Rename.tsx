// Gives a document another title.
import type { DocumentInfo, Room } from "@stoa/client";
import { type FormEvent, useState } from "react";
import { Line, Problem, Sheet } from "../dialogs/parts.tsx";
import { useWork } from "../dialogs/work.ts";
import { useWords } from "../words/index.ts";
import { type Kind, labelFor, TITLE_CHARS } from "./tabs.ts";
import { useBoardWords } from "./words.ts";

interface Props {
  room: Room;
  documents: readonly DocumentInfo[];
  info: DocumentInfo;
  kind: Kind;
  onClose: () => void;
}

export default function Rename({ room, documents, info: { document, title: old = "" }, kind, onClose }: Props) {
  const words = useBoardWords();
  const all = useWords();
  const [title, setTitle] = useState(old);
  const { isBusy, problem, run } = useWork();
  const others = documents.filter((other) => other.document !== document);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const next = title.trim();
    if (next === old || (await run(() => room.command({ type: "doc.update", document, title: next })))) onClose();
  };
  return (
    <Sheet title={words.rename} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void save(event)}>
        <Line
          label={words.documentTitle}
          value={title}
          onChange={setTitle}
          placeholder={labelFor(kind, others, words)}
          hint={words.renameWhy}
          maxLength={TITLE_CHARS}
          autoFocus
        />
        <Problem text={problem} />
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {all.cancel}
          </button>
          <button type="submit" className="button primary" disabled={isBusy}>
            {words.save}
          </button>
        </div>
      </form>
    </Sheet>
  );
}
