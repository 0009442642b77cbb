// Makes another document in the room.
import type { DocumentInfo, Room } from "@stoa/client";
import { type FormEvent, useState } from "react";
import { Label, Radio, RadioGroup } from "react-aria-components";
import { Line, Problem, Sheet } from "../dialogs/parts.tsx";
import { useWork } from "../dialogs/work.ts";
import { useWords } from "../words/index.ts";
import { KindIcon } from "./DocumentTabs.tsx";
import { KINDS, type Kind, labelFor, MOST_DOCUMENTS, newName, TITLE_CHARS } from "./tabs.ts";
import { useBoardWords } from "./words.ts";

interface Props {
  room: Room;
  documents: readonly DocumentInfo[];
  /** Of what is shown: another of its kind is the likeliest. */
  kind: Kind | undefined;
  onClose: () => void;
  onMade: (document: string) => void;
}

export default function Create({ room, documents, kind: shown = "board", onClose, onMade }: Props) {
  const words = useBoardWords();
  const all = useWords();
  const [kind, setKind] = useState<Kind>(shown);
  const [title, setTitle] = useState("");
  const { isBusy, problem, run } = useWork();
  const isFull = documents.length >= MOST_DOCUMENTS;
  const create = async (event: FormEvent) => {
    event.preventDefault();
    if (isBusy || isFull) return;
    const document = newName(kind, crypto.getRandomValues(new Uint32Array(2)));
    if (!(await run(() => room.command({ type: "doc.create", document, kind, title: title.trim() })))) return;
    onClose();
    onMade(document);
  };
  return (
    <Sheet title={words.newDocument} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void create(event)}>
        <RadioGroup className="segments" value={kind} onChange={(value) => setKind(value as Kind)}>
          <Label>{words.newKind}</Label>
          <div className="segments-row">
            {KINDS.map((each) => (
              <Radio key={each} value={each} className="segment stage-kind">
                <KindIcon kind={each} />
                {words[each]}
              </Radio>
            ))}
          </div>
          <p className="fine">{words.newKinds[kind]}</p>
        </RadioGroup>
        <Line
          label={words.documentTitle}
          value={title}
          onChange={setTitle}
          placeholder={labelFor(kind, documents, words)}
          hint={words.titleHint}
          maxLength={TITLE_CHARS}
          autoFocus
        />
        <Problem text={isFull ? words.mostDocuments(MOST_DOCUMENTS) : problem} />
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {all.cancel}
          </button>
          <button type="submit" className="button primary" disabled={isBusy || isFull}>
            {all.create}
          </button>
        </div>
      </form>
    </Sheet>
  );
}
