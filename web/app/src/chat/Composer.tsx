import type { RoomState, ShownMessage } from "@stoa/client";
import {
  type FormEvent,
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { useMedia, useNow } from "../hooks.ts";
import {
  BoldIcon,
  CheckIcon,
  CloseIcon,
  CodeIcon,
  ItalicIcon,
  LinkIcon,
  ListIcon,
  MegaphoneIcon,
  QuoteIcon,
  SendIcon,
  SmileIcon,
  StrikeIcon,
} from "../icons.tsx";
import { excerpt, plain } from "../text.tsx";
import { timeOf } from "../time.ts";
import { useWords } from "../words/index.ts";
import { CompletionList, type Offer, useCompletion, usePeopleOf } from "./Completion.tsx";
import { useChat } from "./chat.ts";
import { type Draft, keepDraft, placeOf, readDraft } from "./drafts.ts";
import { EmojiButton } from "./EmojiButton.tsx";
import { applyChange, continued, type Mark, mark, markOf } from "./format.ts";
import { plainText } from "./markdown.ts";
import { findMentions } from "./mentions.ts";

/** What the field was asked to do by a message: to answer it, or to hold other words for it. */
export interface Wish {
  kind: "reply" | "edit";
  seq: number;
  /** For an edit: the words that it begins with, and those that are in the log. */
  text: string;
  was?: string;
  stamp: number;
}

/** The server's bounds of a message: bytes of UTF-8, and people that it names. */
const TEXT_BYTES = 16 * 1024;
const MENTIONS = 50;
/** From here on the room that is left is told. */
const TELL_BYTES = 1_024;

interface Props {
  state: RoomState;
  title: string;
  wish: Wish | undefined;
  /** A message that may be quoted, when it is known. */
  find: (seq: number) => ShownMessage | undefined;
  /** The newest messages, for the arrow up. */
  messages: readonly ShownMessage[];
}

export function Composer({ state, title, wish, find, messages }: Props) {
  const words = useWords();
  const { room, me, rights, thread } = useChat();
  const obstacle = useObstacle(state);
  const isTouch = useMedia("(pointer: coarse)");
  const field = useRef<HTMLTextAreaElement>(null);
  const place = placeOf(room.id, thread);
  const [draft, setDraft] = useDraft(me ?? "", place);
  const [caret, setCaret] = useState(0);
  const listId = useId();
  const { edit } = draft;
  const text = edit ? edit.text : draft.text;
  const people = usePeopleOf(state, text.includes("@"));
  const completion = useCompletion(text, caret, people);
  const slow = useSlowMode(state, messages, edit !== undefined || rights.moderate);
  const bytes = text.length * 3 > TEXT_BYTES - TELL_BYTES ? new TextEncoder().encode(text).length : 0;
  const maySend = text.trim() !== "" && bytes <= TEXT_BYTES && slow === 0;

  useWish(wish, setDraft, field);
  useHeight(field, text);

  const change = (next: string) => {
    setDraft((now) => (now.edit ? { ...now, edit: { ...now.edit, text: next } } : { ...now, text: next }));
    if (edit) return;
    if (next.trim()) room.typing();
    else room.typing(false);
  };

  const onInput = (element: HTMLTextAreaElement) => {
    const at = element.selectionStart;
    const found = completion.replace(element.value, at);
    setCaret(at);
    if (!found) return change(element.value);
    // `:smile:` was closed by its second colon.
    change(element.value);
    applyChange(element, {
      start: found.start,
      end: at,
      by: found.emoji,
      select: [found.start + found.emoji.length, found.start + found.emoji.length],
    });
  };

  const insert = (what: string, from?: number) => {
    const element = field.current;
    if (!element) return;
    const start = from ?? element.selectionStart;
    applyChange(element, {
      start,
      end: element.selectionEnd,
      by: what,
      select: [start + what.length, start + what.length],
    });
    setCaret(start + what.length);
  };

  // The picker keeps the focus until it is gone, so that nothing can be typed here for its sake.
  const add = (emoji: string) => {
    const { selectionStart: start = text.length, selectionEnd: end = text.length } = field.current ?? {};
    change(text.slice(0, start) + emoji + text.slice(end));
    setTimeout(() => {
      field.current?.focus();
      field.current?.setSelectionRange(start + emoji.length, start + emoji.length);
    });
  };

  const format = (kind: Mark) => {
    const element = field.current;
    if (!element) return;
    applyChange(element, mark(kind, { text: element.value, start: element.selectionStart, end: element.selectionEnd }));
  };

  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!maySend) return;
    const found = findMentions(text, people, rights.announce);
    const users = [...new Set(found.flatMap(({ user }) => user ?? []))].slice(0, MENTIONS);
    const mentions = users.length > 0 ? users : undefined;
    if (edit) {
      if (text !== edit.was) void room.edit(edit.seq, text, mentions ? { mentions } : {});
      setDraft((now) => ({ ...now, edit: undefined }));
    } else {
      const isForAll = found.some(({ user }) => user === undefined);
      room.send(text, {
        ...(draft.reply === undefined ? {} : { reply_to: draft.reply }),
        ...(thread === undefined ? {} : { thread }),
        ...(mentions ? { mentions } : {}),
        ...(isForAll ? { mention_all: true } : {}),
        ...(draft.isAnnouncement && rights.announce ? { announcement: true } : {}),
      });
      setDraft(() => ({ text: "" }));
    }
    setCaret(0);
    field.current?.focus();
  };

  const leave = () => setDraft((now) => ({ ...now, edit: undefined, reply: now.edit ? now.reply : undefined }));
  const pick = (offer: Offer) => insert(offer.text, completion.start);

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // An input method uses these keys for itself.
    if (event.nativeEvent.isComposing) return;
    const act = keyAction(event);
    if (!act) return;
    event.preventDefault();
    act();
  };

  const keyAction = (event: KeyboardEvent<HTMLTextAreaElement>): (() => void) | undefined => {
    const { key, shiftKey, currentTarget: element } = event;
    const { offers, chosen, choose, close } = completion;
    if (offers.length > 0 && !shiftKey) {
      const offer = offers[chosen];
      if (key === "ArrowDown") return () => choose((chosen + 1) % offers.length);
      if (key === "ArrowUp") return () => choose((chosen + offers.length - 1) % offers.length);
      if ((key === "Enter" || key === "Tab") && offer) return () => pick(offer);
      if (key === "Escape") return close;
    }
    const kind = markOf(event);
    if (kind) return () => format(kind);
    if (key === "Enter" && !event.altKey) {
      const isNewLine = shiftKey || isTouch;
      const isForced = event.ctrlKey || event.metaKey;
      if (!isNewLine || isForced) return submit;
      const next = continued({ text: element.value, start: element.selectionStart, end: element.selectionEnd });
      return next && (() => applyChange(element, next));
    }
    if (key === "Escape" && (edit || draft.reply !== undefined)) return leave;
    if (key === "ArrowUp" && text === "" && !edit) {
      const last = messages.findLast((message) => message.from === me && !message.deleted);
      return last && (() => setDraft((now) => ({ ...now, edit: { seq: last.seq, text: last.text, was: last.text } })));
    }
    return undefined;
  };

  const label = thread === undefined ? words.chat.write(plain(title)) : words.chat.writeThread;
  if (obstacle !== undefined) {
    return (
      <div className="composer-none muted" data-testid="obstacle">
        <p>{obstacle}</p>
        {draft.text !== "" && <p className="composer-kept">{draft.text}</p>}
      </div>
    );
  }
  const option = completion.offers.length > 0 ? `${listId}-${completion.chosen}` : undefined;
  return (
    <form className={`composer ${draft.isAnnouncement && !edit ? "announcing" : ""}`} onSubmit={submit}>
      <CompletionList id={listId} completion={completion} onPick={pick} />
      <ModeBar draft={draft} find={find} onLeave={leave} />
      <textarea
        ref={field}
        value={text}
        rows={1}
        dir="auto"
        placeholder={label}
        aria-label={label}
        aria-autocomplete="list"
        aria-controls={option === undefined ? undefined : listId}
        aria-activedescendant={option}
        enterKeyHint={isTouch ? "enter" : "send"}
        onChange={(event) => onInput(event.target)}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
        onKeyDown={onKeyDown}
        onBlur={() => {
          room.typing(false);
          completion.close();
        }}
      />
      <div className="composer-bar">
        <EmojiButton label={words.chat.emoji} className="tool" onPick={add}>
          <SmileIcon />
        </EmojiButton>
        <FormatButtons onFormat={format} />
        {rights.announce && thread === undefined && !edit && (
          <button
            type="button"
            className={`tool wide ${draft.isAnnouncement ? "on" : ""}`}
            aria-pressed={draft.isAnnouncement === true}
            title={words.chat.announceOn}
            onClick={() => setDraft((now) => ({ ...now, isAnnouncement: !now.isAnnouncement }))}
          >
            <MegaphoneIcon />
            <span>{words.chat.announce}</span>
          </button>
        )}
        <span className="composer-note" role="status">
          <Note bytes={bytes} slow={slow} everyS={rights.moderate ? 0 : (state.info?.slow_mode_s ?? 0)} />
        </span>
        <button
          type="submit"
          className="send"
          disabled={!maySend}
          aria-label={edit ? words.chat.save : words.chat.send}
          title={edit ? words.chat.save : words.chat.send}
        >
          {edit ? <CheckIcon /> : <SendIcon />}
        </button>
      </div>
    </form>
  );
}

function Note({ bytes, slow, everyS }: { bytes: number; slow: number; everyS: number }) {
  const words = useWords().chat;
  if (bytes > TEXT_BYTES) return <span className="problem">{words.bytesOver(bytes - TEXT_BYTES)}</span>;
  if (bytes > TEXT_BYTES - TELL_BYTES) return <span className="muted">{words.bytesLeft(TEXT_BYTES - bytes)}</span>;
  if (slow > 0) return <span className="warm">{words.slow(slow)}</span>;
  return everyS > 0 ? <span className="muted">{words.slowHint(everyS)}</span> : null;
}

const FORMATS: readonly [Mark, () => ReactNode][] = [
  ["bold", BoldIcon],
  ["italic", ItalicIcon],
  ["strike", StrikeIcon],
  ["code", CodeIcon],
  ["link", LinkIcon],
  ["bullets", ListIcon],
  ["quote", QuoteIcon],
];
const KEYS: Partial<Record<Mark, string>> = {
  bold: "Ctrl+B",
  italic: "Ctrl+I",
  strike: "Ctrl+Shift+X",
  code: "Ctrl+E",
  link: "Ctrl+K",
};

function FormatButtons({ onFormat }: { onFormat: (kind: Mark) => void }) {
  const words = useWords().chat;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring a frame and a legend
    <div className="formats" role="group" aria-label={words.format}>
      {FORMATS.map(([kind, Icon]) => (
        <button
          type="button"
          key={kind}
          className="tool"
          aria-label={words[kind]}
          title={KEYS[kind] ? `${words[kind]} (${KEYS[kind]})` : words[kind]}
          // The field keeps its selection.
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onFormat(kind)}
        >
          <Icon />
        </button>
      ))}
    </div>
  );
}

interface ModeBarProps {
  draft: Draft;
  find: (seq: number) => ShownMessage | undefined;
  onLeave: () => void;
}

function ModeBar({ draft, find, onLeave }: ModeBarProps) {
  const words = useWords();
  const { nameOf } = useChat();
  if (!draft.edit && draft.reply === undefined) return null;
  const target = draft.reply === undefined ? undefined : find(draft.reply);
  return (
    <div className="mode-bar">
      <span className="mode-text">
        <strong>
          <bdi>
            {draft.edit
              ? words.chat.editing
              : words.chat.replyingTo(target ? plain(nameOf(target.from).name) : words.someone)}
          </bdi>
        </strong>
        {!draft.edit && target && <bdi className="muted">{excerpt(plainText(target.text))}</bdi>}
      </span>
      <button type="button" className="icon-button small" title={words.chat.cancel} onClick={onLeave}>
        <CloseIcon />
        <span className="hidden">{words.chat.cancel}</span>
      </button>
    </div>
  );
}

type Update = (change: (now: Draft) => Draft) => void;

/** What is typed, kept at every key stroke. */
function useDraft(user: string, place: string): readonly [Draft, Update] {
  const [draft, setDraft] = useState(() => readDraft(user, place));
  const now = useRef(draft);
  const update = useCallback<Update>(
    (change) => {
      now.current = change(now.current);
      keepDraft(user, place, now.current);
      setDraft(now.current);
    },
    [user, place],
  );
  return [draft, update];
}

function useWish(wish: Wish | undefined, update: Update, field: React.RefObject<HTMLTextAreaElement | null>): void {
  const done = useRef(wish?.stamp);
  useEffect(() => {
    if (!wish || done.current === wish.stamp) return;
    done.current = wish.stamp;
    const { kind, seq, text, was = text } = wish;
    update((now) =>
      kind === "reply" ? { ...now, edit: undefined, reply: seq } : { ...now, edit: { seq, text, was } },
    );
    // Menus give the focus back to what opened them when they close.
    setTimeout(() => {
      field.current?.focus();
      field.current?.setSelectionRange(text.length, text.length);
    });
  }, [wish, update, field]);
}

/** As high as its text, up to what the style allows. */
function useHeight(field: React.RefObject<HTMLTextAreaElement | null>, text: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows from the text
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text, field]);
}

/** Seconds until the next message may be sent. */
function useSlowMode({ info, pending }: RoomState, messages: readonly ShownMessage[], isFree: boolean): number {
  const { me } = useChat();
  const everyMs = (isFree ? 0 : (info?.slow_mode_s ?? 0)) * 1_000;
  const own = messages.findLast(({ from }) => from === me)?.at ?? 0;
  const last = everyMs === 0 ? 0 : Math.max(own, ...pending.map(({ at }) => at));
  const now = useNow(everyMs === 0 ? 3_600_000 : 500);
  if (everyMs === 0) return 0;
  // Two clocks: what is left is never more than the whole pause.
  return Math.ceil(Math.min(everyMs, Math.max(0, last + everyMs - Math.max(now, Date.now()))) / 1_000);
}

/** Why nothing can be written here. */
function useObstacle({ info, access }: RoomState): string | undefined {
  const words = useWords().chat;
  const mutedUntil = access?.muted_until ?? 0;
  useNow(mutedUntil > Date.now() ? 1_000 : 60_000);
  if (info?.archived) return words.roomArchived;
  if (!access) return undefined;
  if (mutedUntil > Date.now()) return words.mutedUntil(timeOf(mutedUntil));
  return access.capabilities.includes("send") ? undefined : words.readOnly;
}
