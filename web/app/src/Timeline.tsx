import type { AccessView, Capability, Room, RoomState, ShownMessage } from "@stoa/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Mode } from "./Composer.tsx";
import { useClientState, useIsVisible, useNow, useProfiles } from "./hooks.ts";
import { DownIcon } from "./icons.tsx";
import { MessageRow, type Rights, type RowActions } from "./MessageRow.tsx";
import { PendingRow } from "./PendingRow.tsx";
import { type Row, rowsOf } from "./rows.ts";
import { useScroll } from "./scroll.ts";
import { plain } from "./text.tsx";
import { dayName } from "./time.ts";
import { listOf, useWords } from "./words/index.ts";

interface Props {
  room: Room;
  state: RoomState;
  onMode: (mode: Mode) => void;
  jump: { seq: number } | undefined;
}

export function Timeline({ room, state, onMode, jump }: Props) {
  const words = useWords();
  const { user: me } = useClientState();
  const nameOf = useProfiles();
  const now = useNow(60_000);
  const isVisible = useIsVisible();
  const { messages, pending, access, readSeq } = state;
  const last = messages.at(-1);
  const [unreadAfter, setUnreadAfter] = useUnreadLine(state, me, isVisible);
  const rows = useMemo(() => rowsOf(messages, pending, unreadAfter, me), [messages, pending, unreadAfter, me]);
  const older = useCallback(() => void room.loadOlder().catch(() => {}), [room]);
  const { ref, isAtEnd, toEnd, toRow } = useScroll({ rows, hasMore: state.more, onOlder: older });
  const [active, setActive] = useState<string>();

  // Read is what was on the screen while somebody looked.
  useEffect(() => {
    if (isVisible && isAtEnd && last && !state.catchingUp) room.markRead(last.seq);
  }, [isVisible, isAtEnd, last, room, state.catchingUp]);

  const sentCount = pending.length;
  const wasSent = useRef(sentCount);
  useEffect(() => {
    if (sentCount > wasSent.current) {
      setUnreadAfter(undefined);
      toEnd();
    }
    wasSent.current = sentCount;
  }, [sentCount, toEnd, setUnreadAfter]);

  useEffect(() => {
    if (jump) toRow(`m-${jump.seq}`);
  }, [jump, toRow]);

  const actions = useMemo<RowActions>(
    () => ({
      react: (seq, emoji, on) => void room.react(seq, emoji, on),
      pin: (seq, on) => void room.pin(seq, on),
      remove: (seq) => void room.delete(seq),
      reply: (seq) => onMode({ kind: "reply", seq }),
      edit: (seq, text) => onMode({ kind: "edit", seq, text }),
      show: (seq) => toRow(`m-${seq}`),
    }),
    [room, onMode, toRow],
  );

  const rights = useMemo(() => rightsOf(access), [access]);
  const bySeq = useMemo(() => new Map(messages.map((message) => [message.seq, message])), [messages]);
  const unreadBelow = isAtEnd ? 0 : messages.filter((m) => m.seq > readSeq && m.from !== me).length;
  const activeKey = rows.some((row) => row.key === active) ? active : rows.findLast(isMessage)?.key;

  const toActive = (target: EventTarget) => {
    const key = (target as Element).closest<HTMLElement>("[data-row]")?.dataset.row;
    if (key) setActive(key);
  };

  const renderRow = (row: Row) => {
    switch (row.kind) {
      case "day":
        return (
          <div key={row.key} className="separator" data-row={row.key}>
            <span>{dayName(row.day, now)}</span>
          </div>
        );
      case "unread":
        return (
          <div key={row.key} className="separator unread-line" data-row={row.key} data-testid="unread-line">
            <span>{words.newMessages}</span>
          </div>
        );
      case "message": {
        const { message } = row;
        const answered = message.reply_to === undefined ? undefined : bySeq.get(message.reply_to);
        return (
          <MessageRow
            key={row.key}
            row={row.key}
            message={message}
            isFirst={row.isFirst}
            isActive={row.key === active}
            isFocusable={row.key === activeKey}
            isOwn={message.from !== undefined && message.from === me}
            mentionsMe={(me !== undefined && message.mentions?.includes(me)) || message.mention_all === true}
            author={nameOf(message.from)}
            answered={answered}
            answeredBy={answered ? nameOf(answered.from).name : ""}
            rights={rights}
            actions={actions}
            nameOf={nameOf}
          />
        );
      }
      case "pending":
        return (
          <PendingRow
            key={row.key}
            room={room}
            row={row}
            author={nameOf(me)}
            userId={me ?? ""}
            isLast={row === rows.at(-1)}
          />
        );
    }
  };

  return (
    <div className="timeline-box">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the rows are what is acted on; this hears for all of them */}
      <div
        ref={ref}
        className="timeline"
        onPointerOver={(event) => toActive(event.target)}
        onPointerLeave={() => setActive(undefined)}
        onFocus={(event) => toActive(event.target)}
        onKeyDown={(event) => moveFocus(event)}
      >
        <div className="timeline-start">
          {state.more ? (
            <p className="muted">{words.olderLoading}</p>
          ) : (
            <>
              <h3>{rows.length === 0 ? words.empty : words.start}</h3>
              {rows.length === 0 && <p className="muted">{words.emptyWhy}</p>}
            </>
          )}
        </div>
        <div role="log" aria-label={words.messages} className="rows">
          {rows.map(renderRow)}
        </div>
        <ReadBy state={state} me={me} last={last} />
      </div>
      {!isAtEnd && (
        <button type="button" className={`to-end ${unreadBelow > 0 ? "unread" : ""}`} onClick={toEnd}>
          <DownIcon />
          {unreadBelow > 0 ? words.newBelow(unreadBelow) : words.jumpToNewest}
        </button>
      )}
    </div>
  );
}

function rightsOf(access: AccessView | undefined): Rights {
  const can = (capability: Capability) => access?.capabilities.includes(capability) ?? false;
  return { send: can("send"), react: can("react"), pin: can("pin"), moderate: can("moderate") };
}

function isMessage(row: Row): boolean {
  return row.kind === "message" || row.kind === "pending";
}

/** Arrow keys go from message to message; the buttons of a message follow with Tab. */
function moveFocus(event: React.KeyboardEvent<HTMLElement>): void {
  const row = (event.target as Element).closest<HTMLElement>("article");
  if (!row || event.target !== row) return;
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("article")];
  const at = rows.indexOf(row);
  const target = { ArrowUp: rows[at - 1], ArrowDown: rows[at + 1], Home: rows[0], End: rows.at(-1) }[event.key];
  if (!target) return;
  event.preventDefault();
  target.focus();
}

/**
 * The line above what was not read. It stays while the room is looked at, so that one finds one's place, and comes
 * anew when messages arrive while nobody looks.
 */
function useUnreadLine(state: RoomState, me: string | undefined, isVisible: boolean) {
  const last = state.messages.at(-1)?.seq ?? 0;
  const [line, setLine] = useState<number | undefined>(() => {
    const isBehind = state.messages.some((message) => message.seq > state.readSeq && message.from !== me);
    return isBehind && state.readSeq > 0 ? state.readSeq : undefined;
  });
  const seen = useRef(last);
  useEffect(() => {
    if (isVisible) seen.current = last;
    else setLine((known) => (known !== undefined && known >= seen.current ? known : seen.current));
  }, [isVisible, last]);
  return [line, setLine] as const;
}

interface ReadByProps {
  state: RoomState;
  me: string | undefined;
  last: ShownMessage | undefined;
}

/** Who has read one's own last words. */
function ReadBy({ state, me, last }: ReadByProps) {
  const words = useWords();
  const nameOf = useProfiles();
  if (!last || last.from !== me || state.pending.length > 0) return null;
  const readers = [...state.read].filter(([user, seq]) => user !== me && seq >= last.seq).map(([user]) => user);
  if (readers.length === 0) return null;
  const named = readers.slice(0, 3).map((user) => plain(nameOf(user).name));
  const more = readers.length - named.length;
  const names = listOf(more > 0 ? [...named, words.others(more)] : named);
  return (
    <p className="read-by muted" data-testid="read-by">
      <bdi>{words.readBy(names)}</bdi>
    </p>
  );
}
