import type { RoomState, ShownMessage } from "@stoa/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useIsVisible, useNow, useProfiles, useRooms } from "../hooks.ts";
import { CloseIcon, DownIcon } from "../icons.tsx";
import { excerpt, Name, plain } from "../text.tsx";
import { dayName } from "../time.ts";
import { listOf, useWords } from "../words/index.ts";
import { useChat } from "./chat.ts";
import { MessageList, type RowState } from "./MessageList.tsx";
import { MessageRow } from "./MessageRow.tsx";
import { plainText } from "./markdown.ts";
import { NoteRow } from "./NoteRow.tsx";
import { PendingRow } from "./PendingRow.tsx";
import { findMessage, notesOf, type Row, rowsOf } from "./rows.ts";
import type { Target } from "./scroll.ts";

interface Props {
  state: RoomState;
  title: string;
  target: Target | undefined;
  /** Goes to a message. */
  onGo: (seq: number) => void;
}

const NONE: readonly never[] = [];

/** What was said in a room. */
export function Timeline({ state, title, target, onGo }: Props) {
  const words = useWords();
  const { room, me } = useChat();
  const isVisible = useIsVisible();
  const { messages, access, more, moreAfter, newest, readSeq } = state;
  const pending = useMemo(() => state.pending.filter(({ thread }) => thread === undefined), [state.pending]);
  const [unreadAfter, setUnreadAfter] = useUnreadLine(state, me, isVisible);
  const notes = useNotes(state);
  const shownPending = moreAfter ? NONE : pending;
  const rows = useMemo(
    () => rowsOf({ messages, pending: shownPending, notes, unreadAfter, me, isWhole: !more }),
    [messages, shownPending, notes, unreadAfter, me, more],
  );
  const older = useCallback(() => void room.loadOlder().catch(() => {}), [room]);
  const newer = useCallback(() => void room.loadNewer().catch(() => {}), [room]);
  const renderRow = useRows(state, title, rows);
  const isReadable = access !== undefined && !state.catchingUp;

  return (
    <MessageList
      rows={rows}
      view={`${state.view}`}
      label={words.chat.list(plain(title))}
      head={state.loadingOlder && <Loading />}
      hasOlder={more}
      onOlder={older}
      hasNewer={moreAfter}
      onNewer={newer}
      target={target}
      renderRow={renderRow}
      testId="timeline"
    >
      {({ isAtEnd, toEnd }) => (
        <>
          <Follow isAtEnd={isAtEnd} toEnd={toEnd} count={pending.length} onSent={() => setUnreadAfter(undefined)} />
          <Reading isRead={isVisible && isAtEnd && !moreAfter && isReadable} upTo={newest > 0 ? state.seq : 0} />
          <ToUnread state={state} unreadAfter={unreadAfter} onGo={onGo} />
          {(!isAtEnd || moreAfter) && (
            <ToEnd
              unread={newest > readSeq ? unreadOf(state, me) : 0}
              onPress={() => {
                room.toNewest();
                toEnd();
              }}
            />
          )}
          <News messages={messages} isLive={!moreAfter} />
        </>
      )}
    </MessageList>
  );
}

function unreadOf({ messages, readSeq, moreAfter }: RoomState, me: string | undefined): number {
  if (moreAfter) return 0;
  let count = 0;
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const message = messages[index] as ShownMessage;
    if (message.seq <= readSeq) break;
    if (message.from !== me) count += 1;
  }
  return count;
}

function useNotes({ notes, members, room, info, messages, more, moreAfter }: RoomState) {
  const after = more ? (messages[0]?.seq ?? Number.POSITIVE_INFINITY) : 0;
  const before = moreAfter ? (messages.at(-1)?.seq ?? 0) : Number.POSITIVE_INFINITY;
  // Who the two people of a direct room are needs no telling.
  const told = info?.kind === "direct" ? NONE : members;
  return useMemo(() => notesOf({ notes, members: told, room, after, before }), [notes, told, room, after, before]);
}

function useRows(state: RoomState, title: string, rows: readonly Row[]) {
  const words = useWords();
  const now = useNow(60_000);
  const { messages, beside } = state;
  const { room } = useChat();
  return useCallback(
    (row: Row, rowState: RowState) => {
      switch (row.kind) {
        case "intro":
          return <Intro title={title} isEmpty={messages.length === 0} topic={state.info?.topic} />;
        case "day":
          return (
            <div className="separator">
              <span>{dayName(row.day, now)}</span>
            </div>
          );
        case "unread":
          return (
            <div className="separator unread-line" data-testid="unread-line">
              <span>{words.newMessages}</span>
            </div>
          );
        case "note":
          return <NoteRow note={row.note} />;
        case "replies":
          return <div className="separator" />;
        case "message": {
          const { reply_to } = row.message;
          const answered =
            reply_to === undefined ? undefined : (findMessage(messages, reply_to) ?? beside.get(reply_to));
          if (reply_to !== undefined && !answered) room.look(reply_to);
          const readers = row === rows.at(-1) ? <ReadBy state={state} message={row.message} /> : null;
          return (
            <>
              <MessageRow row={row.key} message={row.message} isFirst={row.isFirst} answered={answered} {...rowState} />
              {readers}
            </>
          );
        }
        case "pending":
          return (
            <PendingRow
              row={row.key}
              pending={row.pending}
              isFirst={row.isFirst}
              isLast={row === rows.at(-1)}
              isFocusable={rowState.isFocusable}
            />
          );
      }
    },
    [messages, beside, room, state, rows, title, now, words],
  );
}

export function Loading() {
  const words = useWords();
  return (
    <p className="muted loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {words.olderLoading}
    </p>
  );
}

function Intro({ title, topic, isEmpty }: { title: string; topic: string | undefined; isEmpty: boolean }) {
  const words = useWords();
  return (
    <div className="intro">
      <p className="intro-title">
        <bdi>{isEmpty ? words.chat.emptyTitle : words.chat.introTitle(plain(title))}</bdi>
      </p>
      {topic && <Name name={topic} className="intro-topic" />}
      <p className="muted">{isEmpty ? words.chat.emptyText : words.chat.introText}</p>
    </div>
  );
}

interface FollowProps {
  isAtEnd: boolean;
  toEnd: () => void;
  count: number;
  onSent: () => void;
}

/** What one says oneself is shown, wherever one was reading. */
function Follow({ toEnd, count, onSent }: FollowProps) {
  const { room } = useChat();
  const before = useRef(count);
  useEffect(() => {
    if (count > before.current) {
      onSent();
      room.toNewest();
      toEnd();
    }
    before.current = count;
  });
  return null;
}

/**
 * Read is what was on the screen while somebody looked: everything up to the last event, since a thread's replies, too,
 * are told by the message above them.
 */
function Reading({ isRead, upTo }: { isRead: boolean; upTo: number }) {
  const { room } = useChat();
  useEffect(() => {
    if (isRead && upTo > 0) room.markRead(upTo);
  }, [isRead, upTo, room]);
  return null;
}

function ToEnd({ unread, onPress }: { unread: number; onPress: () => void }) {
  const words = useWords();
  return (
    <button type="button" className={`to-end ${unread > 0 ? "unread" : ""}`} onClick={onPress}>
      <DownIcon />
      {unread > 0 ? words.newBelow(unread) : words.chat.toNewest}
    </button>
  );
}

interface ToUnreadProps {
  state: RoomState;
  unreadAfter: number | undefined;
  onGo: (seq: number) => void;
}

/** When more is new than is loaded, the first of it is one press away. */
function ToUnread({ state, unreadAfter, onGo }: ToUnreadProps) {
  const words = useWords();
  const rooms = useRooms();
  const [isDone, setDone] = useState(false);
  const [count] = useState(() => rooms.find(({ info }) => info.room === state.room)?.unread ?? 0);
  const oldest = state.messages[0]?.seq ?? 0;
  if (isDone || unreadAfter === undefined || !state.more || state.moreAfter || unreadAfter >= oldest) return null;
  return (
    <div className="to-unread">
      <button
        type="button"
        onClick={() => {
          setDone(true);
          onGo(unreadAfter);
        }}
      >
        {count > 0 && count < 100 ? words.chat.toUnread(count) : words.chat.toUnreadMany}
      </button>
      <button type="button" title={words.close} aria-label={words.close} onClick={() => setDone(true)}>
        <CloseIcon />
      </button>
    </div>
  );
}

/** Tells new messages to those who listen to the page. */
function News({ messages, isLive }: { messages: readonly ShownMessage[]; isLive: boolean }) {
  const words = useWords();
  const { me, nameOf } = useChat();
  const last = messages.at(-1);
  const [heard, setHeard] = useState(last?.seq ?? 0);
  const isNew = isLive && last !== undefined && last.seq > heard && last.from !== me;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was there at first is no news
  useEffect(() => {
    if (heard === 0 && last) setHeard(last.seq);
  }, []);
  return (
    <p className="hidden" aria-live="polite">
      {isNew && words.chat.newFrom(plain(nameOf(last.from).name), excerpt(plainText(last.text)))}
    </p>
  );
}

/**
 * The line above what was not read. It stays while the room is looked at, so that one finds one's place, and comes
 * anew when messages arrive while nobody looks.
 */
function useUnreadLine(state: RoomState, me: string | undefined, isVisible: boolean) {
  const last = state.newest;
  const [line, setLine] = useState<number | undefined>(() => {
    const isBehind = state.messages.some((message) => message.seq > state.readSeq && message.from !== me);
    return isBehind && state.readSeq > 0 ? state.readSeq : undefined;
  });
  const seen = useRef(last);
  useEffect(() => {
    if (isVisible) seen.current = last;
    else if (last > seen.current)
      setLine((known) => (known !== undefined && known >= seen.current ? known : seen.current));
  }, [isVisible, last]);
  return [line, setLine] as const;
}

/** Who has read one's own last words. */
function ReadBy({ state, message }: { state: RoomState; message: ShownMessage }) {
  const words = useWords();
  const { me } = useChat();
  const nameOf = useProfiles();
  if (message.from !== me) return null;
  const readers = [...state.read].filter(([user, seq]) => user !== me && seq >= message.seq).map(([user]) => user);
  if (readers.length === 0) return null;
  const named = readers.slice(0, 3).map((user) => plain(nameOf(user).name));
  const more = readers.length - named.length;
  return (
    <p className="read-by muted" data-testid="read-by">
      <bdi>{words.readBy(listOf(more > 0 ? [...named, words.others(more)] : named))}</bdi>
    </p>
  );
}
