import type { Room, RoomState } from "@stoa/client";
import { type FormEvent, type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { keepDraft, readDraft } from "./drafts.ts";
import { useClientState, useMedia, useProfiles } from "./hooks.ts";
import { CheckIcon, CloseIcon, SendIcon } from "./icons.tsx";
import { excerpt, Name, plain } from "./text.tsx";
import { timeOf } from "./time.ts";
import { currentWords, useWords } from "./words/index.ts";

/** What the field is for: a new message, an answer, or other words for an old one. */
export type Mode = { kind: "new" } | { kind: "reply"; seq: number } | { kind: "edit"; seq: number; text: string };

/** The server's bound of a message, bytes of UTF-8. */
const TEXT_BYTES = 16 * 1024;

interface Props {
  room: Room;
  state: RoomState;
  title: string;
  mode: Mode;
  onMode: (mode: Mode) => void;
}

export function Composer({ room, state, title, mode, onMode }: Props) {
  const words = useWords();
  const { user } = useClientState();
  const isTouch = useMedia("(pointer: coarse)");
  const field = useRef<HTMLTextAreaElement>(null);
  const [draft, setDraft] = useState(() => readDraft(user ?? "", room.id));
  const [edited, setEdited] = useState("");
  const isEdit = mode.kind === "edit";
  const text = isEdit ? edited : draft;
  const isTooLong = new TextEncoder().encode(text).length > TEXT_BYTES;
  const obstacle = obstacleOf(state);

  useEffect(() => {
    if (mode.kind === "edit") setEdited(mode.text);
    if (mode.kind !== "new") field.current?.focus();
  }, [mode]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows from the text
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const change = (next: string) => {
    if (isEdit) return setEdited(next);
    setDraft(next);
    keepDraft(user ?? "", room.id, next);
    if (next.trim()) room.typing();
    else room.typing(false);
  };

  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!text.trim() || isTooLong || obstacle !== undefined) return;
    if (mode.kind === "edit") {
      if (text !== mode.text) void room.edit(mode.seq, text);
    } else {
      room.send(text, mode.kind === "reply" ? { reply_to: mode.seq } : {});
      change("");
    }
    onMode({ kind: "new" });
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // An input method uses Enter for itself.
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !isTouch) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && mode.kind !== "new") {
      onMode({ kind: "new" });
    } else if (event.key === "ArrowUp" && text === "" && mode.kind === "new") {
      const last = state.messages.findLast((message) => message.from === user && !message.deleted);
      if (!last) return;
      event.preventDefault();
      onMode({ kind: "edit", seq: last.seq, text: last.text });
    }
  };

  if (obstacle !== undefined) return <div className="composer-none muted">{obstacle}</div>;
  return (
    <form className="composer" onSubmit={submit}>
      {mode.kind !== "new" && <ModeBar state={state} mode={mode} onCancel={() => onMode({ kind: "new" })} />}
      <div className="composer-row">
        <textarea
          ref={field}
          value={text}
          rows={1}
          dir="auto"
          placeholder={words.write(plain(title))}
          aria-label={words.write(plain(title))}
          enterKeyHint={isTouch ? "enter" : "send"}
          onChange={(event) => change(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={() => room.typing(false)}
        />
        <button
          type="submit"
          className="send"
          disabled={!text.trim() || isTooLong}
          aria-label={isEdit ? words.save : words.send}
          title={isEdit ? words.save : words.send}
        >
          {isEdit ? <CheckIcon /> : <SendIcon />}
        </button>
      </div>
      {isTooLong && (
        <p className="problem" role="alert">
          {words.tooLong}
        </p>
      )}
    </form>
  );
}

interface ModeBarProps {
  state: RoomState;
  mode: Exclude<Mode, { kind: "new" }>;
  onCancel: () => void;
}

function ModeBar({ state, mode, onCancel }: ModeBarProps) {
  const words = useWords();
  const nameOf = useProfiles();
  const target = state.messages.find((message) => message.seq === mode.seq);
  return (
    <div className="mode-bar">
      <span className="mode-text">
        <strong>
          {mode.kind === "edit" ? (
            words.editing
          ) : (
            <Name name={words.replyTo(target ? plain(nameOf(target.from).name) : words.someone)} />
          )}
        </strong>
        {mode.kind === "reply" && target && <bdi className="muted">{excerpt(target.text)}</bdi>}
      </span>
      <button type="button" className="icon-button small" title={words.cancel} onClick={onCancel}>
        <CloseIcon />
        <span className="hidden">{words.cancel}</span>
      </button>
    </div>
  );
}

/** Why nothing can be written here. */
function obstacleOf({ info, access }: RoomState): string | undefined {
  const words = currentWords();
  if (info?.archived) return words.archived;
  if (!access) return undefined;
  if ((access.muted_until ?? 0) > Date.now()) return words.muted(timeOf(access.muted_until ?? 0));
  return access.capabilities.includes("send") ? undefined : words.readOnly;
}
