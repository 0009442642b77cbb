// Who may edit a document.
import type { DocumentInfo, Role, Room } from "@stoa/client";
import { Choose, Problem, Sheet, Toggle } from "../dialogs/parts.tsx";
import { useWork } from "../dialogs/work.ts";
import { useBoardWords } from "./words.ts";

interface Props {
  room: Room;
  info: DocumentInfo;
  onClose: () => void;
}

export default function Rights({ room, info, onClose }: Props) {
  const words = useBoardWords();
  const { isBusy, problem, run } = useWork();
  const { document, edit, locked = false } = info;
  const change = (fields: object) => void run(() => room.command({ type: "doc.update", document, ...fields }));
  const choices = (["viewer", "member", "host"] as const).map((value) => ({ value, label: words.editors[value] }));
  return (
    <Sheet title={words.rights} onClose={onClose}>
      <Choose<Role>
        label={words.rights}
        value={edit?.role ?? "member"}
        choices={choices}
        isDisabled={isBusy}
        onChange={(role) => change({ edit: { ...edit, role } })}
      />
      <Toggle
        label={words.lock}
        hint={words.rightsWhy}
        isOn={locked}
        isDisabled={isBusy}
        onChange={(isOn) => change({ locked: isOn })}
      />
      <Problem text={problem} />
    </Sheet>
  );
}
