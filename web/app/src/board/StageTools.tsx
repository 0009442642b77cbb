// What is told of the document that is shown, and what can be done with it.
import type { Room } from "@stoa/client";
import type { SharedDocument } from "@stoa/client/documents";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { useWork } from "../dialogs/work.ts";
import { IconButton } from "../IconButton.tsx";
import { EditIcon, MoreIcon, PlusIcon, TrashIcon } from "../icons.tsx";
import { useDocumentState } from "./documents.ts";
import { Here } from "./Here.tsx";
import { HistoryIcon, LockIcon, UnlockIcon } from "./icons.tsx";
import { Language } from "./Language.tsx";
import { Status } from "./Status.tsx";
import { FIRST, type Tab } from "./tabs.ts";
import { type BoardWords, useBoardWords } from "./words.ts";

/** What opens over a document. */
export type Sheet = "rename" | "delete" | "versions" | "rights";
/** What can be asked for where the documents are chosen. */
export type Ask = Sheet | "create";

interface Props {
  room: Room;
  shared: SharedDocument;
  tab: Tab;
  isManager: boolean;
  /** The menu of documents has what is done with one. */
  isFolded: boolean;
  following: string | undefined;
  onFollow: (client: string | undefined) => void;
  onAsk: (sheet: Sheet) => void;
}

export function StageTools({ room, shared, tab, isManager, isFolded, following, onFollow, onAsk }: Props) {
  return (
    <>
      <Status shared={shared} isManager={isManager} />
      <span className="stage-space" />
      <Here document={shared} following={following} onFollow={tab.kind === "board" ? onFollow : undefined} />
      {tab.kind === "code" && <Language shared={shared} />}
      {!isFolded && <Buttons room={room} shared={shared} tab={tab} isManager={isManager} onAsk={onAsk} />}
    </>
  );
}

type ButtonsProps = Pick<Props, "room" | "shared" | "tab" | "isManager" | "onAsk">;

function Buttons({ room, shared, tab, isManager, onAsk }: ButtonsProps) {
  const words = useBoardWords();
  const { info } = useDocumentState(shared);
  const { isBusy, run } = useWork();
  const isLocked = info?.locked ?? false;
  const lock = () => void run(() => room.command({ type: "doc.update", document: shared.name, locked: !isLocked }));
  const hasPowers = isManager && info !== undefined;
  return (
    <>
      {isManager && (
        <span className="only-wide">
          <IconButton label={isLocked ? words.unlock : words.lock} isPressed={isLocked} isOff={isBusy} onPress={lock}>
            {isLocked ? <LockIcon /> : <UnlockIcon />}
          </IconButton>
        </span>
      )}
      {hasPowers && (
        <button type="button" className="button small only-wide" onClick={() => onAsk("rights")}>
          {words.rights}
        </button>
      )}
      {/* Where it is narrow the lock is in the sheet. */}
      {hasPowers && (
        <span className="only-narrow">
          <IconButton label={words.rights} isPressed={isLocked} onPress={() => onAsk("rights")}>
            {isLocked ? <LockIcon /> : <UnlockIcon />}
          </IconButton>
        </span>
      )}
      <IconButton label={words.versions} onPress={() => onAsk("versions")}>
        <HistoryIcon />
      </IconButton>
      {hasPowers && (
        <MenuTrigger>
          <Button className="icon-button" aria-label={words.documentActions}>
            <MoreIcon />
          </Button>
          <Popover className="popover" placement="bottom end" offset={4}>
            <Menu className="menu" aria-label={words.documentActions}>
              <ActionItem action="rename" words={words} onAsk={onAsk} />
              {tab.id !== FIRST && <ActionItem action="delete" words={words} onAsk={onAsk} />}
            </Menu>
          </Popover>
        </MenuTrigger>
      )}
    </>
  );
}

const ACTIONS = {
  create: { label: "newDocument", icon: <PlusIcon /> },
  rename: { label: "rename", icon: <EditIcon /> },
  rights: { label: "rights", icon: <LockIcon /> },
  versions: { label: "versions", icon: <HistoryIcon /> },
  delete: { label: "deleteDocument", icon: <TrashIcon /> },
} as const;

interface ActionProps<Action extends Ask> {
  action: Action;
  words: BoardWords;
  onAsk: (action: Action) => void;
}

/** One thing that can be done, in a menu. */
export function ActionItem<Action extends Ask>({ action, words, onAsk }: ActionProps<Action>) {
  const { label, icon } = ACTIONS[action];
  return (
    <MenuItem
      className={action === "delete" ? "menu-item danger" : "menu-item"}
      textValue={words[label]}
      onAction={() => onAsk(action)}
    >
      {icon}
      {words[label]}
    </MenuItem>
  );
}
