// What can be done with a message: beside it for a pointer and the keyboard, in a sheet for fingers.
import type { ShownMessage } from "@stoa/client";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import {
  Dialog as Box,
  Button,
  Menu,
  MenuItem,
  MenuTrigger,
  Modal,
  ModalOverlay,
  Popover,
  Toolbar,
} from "react-aria-components";
import { Dialog } from "../Dialog.tsx";
import {
  CopyIcon,
  EditIcon,
  LinkIcon,
  MoreIcon,
  PinIcon,
  ReplyIcon,
  SmileIcon,
  ThreadIcon,
  TrashIcon,
} from "../icons.tsx";
import { addressOf } from "../place.ts";
import { useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { copy } from "./copy.ts";
import { EmojiButton } from "./EmojiButton.tsx";
import { EmojiPicker } from "./EmojiPicker.tsx";
import { usualEmoji } from "./emoji.ts";
import { react } from "./Reactions.tsx";

/** Reactions that are one press away. */
const QUICK = 3;
const QUICK_SHEET = 6;

interface Props {
  message: ShownMessage;
  hold: (isHeld: boolean) => void;
}

export interface ToolsProps extends Props {
  /** Asks for the sheet. */
  onSheet: () => void;
}

export interface SheetProps extends Props {
  onClose: () => void;
}

interface Action {
  id: string;
  label: string;
  icon: ReactNode;
  isDangerous?: boolean;
  run: () => void;
}

export function Tools({ message, hold, onSheet }: ToolsProps) {
  const words = useWords();
  const chat = useChat();
  const { room, rights, actions, thread } = chat;
  const [isAsking, setAsking] = useState(false);
  const ref = useRef<HTMLDivElement>(null);
  useInside(ref);
  const more = useActions(message, () => setAsking(true)).filter(({ id }) => !["reply", "thread", "edit"].includes(id));
  const mayEdit = message.from === chat.me && rights.send;
  return (
    <>
      <Toolbar ref={ref} className="tools" aria-label={words.chat.actions}>
        {rights.react &&
          usualEmoji(QUICK).map((emoji) => (
            <Button
              key={emoji}
              className="tool quick"
              aria-label={words.chat.reactWith(emoji)}
              onPress={() => react(room, message, emoji)}
            >
              <span className="emoji">{emoji}</span>
            </Button>
          ))}
        {rights.react && (
          <EmojiButton
            label={words.chat.react}
            className="tool"
            onOpen={hold}
            onPick={(emoji) => react(room, message, emoji)}
          />
        )}
        {rights.send && (
          <Tool label={words.chat.reply} onPress={() => actions.reply(message)}>
            <ReplyIcon />
          </Tool>
        )}
        {thread === undefined && message.thread === undefined && (
          <Tool label={words.chat.thread} onPress={() => actions.thread(message)}>
            <ThreadIcon />
          </Tool>
        )}
        {mayEdit && (
          <Tool label={words.chat.edit} onPress={() => actions.edit(message)}>
            <EditIcon />
          </Tool>
        )}
        <MenuTrigger onOpenChange={hold}>
          <Button className="tool" aria-label={words.chat.more}>
            <MoreIcon />
          </Button>
          <Popover className="popover" placement="bottom end" offset={4}>
            <Menu className="menu" aria-label={words.chat.more}>
              {more.map(({ id, label, icon, isDangerous, run }) => (
                <MenuItem
                  key={id}
                  className={`menu-item ${isDangerous ? "danger" : ""}`}
                  onAction={run}
                  textValue={label}
                >
                  {icon}
                  {label}
                </MenuItem>
              ))}
            </Menu>
          </Popover>
        </MenuTrigger>
      </Toolbar>
      <button type="button" className="tool touch" aria-label={words.chat.more} onClick={onSheet}>
        <MoreIcon />
      </button>
      {isAsking && <AskDelete message={message} onClose={() => setAsking(false)} />}
    </>
  );
}

/** What would stick out of the list, above its first row, is put inside. */
function useInside(ref: React.RefObject<HTMLDivElement | null>): void {
  useLayoutEffect(() => {
    const element = ref.current;
    const list = element?.closest(".timeline");
    if (!element || !list) return;
    const over = list.getBoundingClientRect().top + 4 - element.getBoundingClientRect().top;
    if (over > 0) element.style.translate = `0 ${over}px`;
  }, [ref]);
}

function Tool({ label, onPress, children }: { label: string; onPress: () => void; children: ReactNode }) {
  return (
    <Button className="tool" aria-label={label} onPress={onPress}>
      {children}
      <span className="tip" aria-hidden="true">
        {label}
      </span>
    </Button>
  );
}

/** The same for fingers. */
export function Sheet({ message, onClose }: SheetProps) {
  const words = useWords();
  const { room, rights } = useChat();
  const [step, setStep] = useState<"actions" | "emoji" | "delete">("actions");
  const all = useActions(message, () => setStep("delete"));
  const pick = (emoji: string) => {
    onClose();
    react(room, message, emoji);
  };
  if (step === "delete") return <AskDelete message={message} onClose={onClose} />;
  return (
    <ModalOverlay className="sheet-under" isOpen isDismissable onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Modal className="action-sheet">
        <Box className="action-sheet-body" aria-label={words.chat.actions}>
          {step === "emoji" ? (
            <EmojiPicker onPick={pick} />
          ) : (
            <>
              {rights.react && (
                <div className="sheet-emoji">
                  {usualEmoji(QUICK_SHEET).map((emoji) => (
                    <Button
                      key={emoji}
                      className="emoji"
                      aria-label={words.chat.reactWith(emoji)}
                      onPress={() => pick(emoji)}
                    >
                      {emoji}
                    </Button>
                  ))}
                  <Button className="emoji" aria-label={words.chat.moreEmoji} onPress={() => setStep("emoji")}>
                    <SmileIcon />
                  </Button>
                </div>
              )}
              <Menu className="menu" aria-label={words.chat.actions} autoFocus="first">
                {all.map(({ id, label, icon, isDangerous, run }) => (
                  <MenuItem
                    key={id}
                    className={`menu-item ${isDangerous ? "danger" : ""}`}
                    textValue={label}
                    onAction={() => {
                      if (id !== "delete") onClose();
                      run();
                    }}
                  >
                    {icon}
                    {label}
                  </MenuItem>
                ))}
              </Menu>
            </>
          )}
        </Box>
      </Modal>
    </ModalOverlay>
  );
}

function useActions(message: ShownMessage, askDelete: () => void): Action[] {
  const words = useWords().chat;
  const { room, me, rights, actions, thread } = useChat();
  const isOwn = message.from !== undefined && message.from === me;
  const all: (Action | false)[] = [
    rights.send && { id: "reply", label: words.reply, icon: <ReplyIcon />, run: () => actions.reply(message) },
    thread === undefined &&
      message.thread === undefined && {
        id: "thread",
        label: words.thread,
        icon: <ThreadIcon />,
        run: () => actions.thread(message),
      },
    isOwn && rights.send && { id: "edit", label: words.edit, icon: <EditIcon />, run: () => actions.edit(message) },
    { id: "text", label: words.copyText, icon: <CopyIcon />, run: () => copy(message.text, words.textCopied, actions) },
    {
      id: "link",
      label: words.copyLink,
      icon: <LinkIcon />,
      run: () => copy(linkTo(room.id, message), words.linkCopied, actions),
    },
    rights.pin && {
      id: "pin",
      label: message.pinned ? words.unpin : words.pin,
      icon: <PinIcon />,
      run: () => void room.pin(message.seq, !message.pinned),
    },
    ((isOwn && rights.send) || rights.moderate) && {
      id: "delete",
      label: words.delete,
      icon: <TrashIcon />,
      isDangerous: true,
      run: askDelete,
    },
  ];
  return all.filter((action) => action !== false);
}

/** A message in a thread is found by the one that the thread hangs below. */
function linkTo(room: string, { seq, thread }: ShownMessage): string {
  const url = addressOf({ room, seq: thread ?? seq });
  if (thread !== undefined) url.searchParams.set("reply", String(seq));
  return url.href;
}

function AskDelete({ message, onClose }: { message: ShownMessage; onClose: () => void }) {
  const words = useWords();
  const { room } = useChat();
  return (
    <Dialog title={words.deleteAsk} onClose={onClose}>
      <p className="muted">{words.deleteWhy}</p>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button
          type="button"
          className="button danger"
          onClick={() => {
            onClose();
            void room.delete(message.seq);
          }}
        >
          {words.delete}
        </button>
      </div>
    </Dialog>
  );
}
