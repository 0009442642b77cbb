import type { RoomState, ShownMessage } from "@stoa/client";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Name } from "../text.tsx";
import { useWords } from "../words/index.ts";
import { Composer, type Wish } from "./Composer.tsx";
import { type Chat, ChatContext, useChat } from "./chat.ts";
import { MessageList, type RowState } from "./MessageList.tsx";
import { MessageRow } from "./MessageRow.tsx";
import { Pane } from "./Pane.tsx";
import { PendingRow } from "./PendingRow.tsx";
import { findMessage, keyOf, type Row, threadRowsOf } from "./rows.ts";
import type { Target } from "./scroll.ts";
import { Loading } from "./Timeline.tsx";

interface Props {
  state: RoomState;
  title: string;
  root: number;
  /** The reply to go to, and another number for another wish. */
  at: { seq: number; stamp: number } | undefined;
  wish: Wish | undefined;
  onClose: () => void;
  isSheet: boolean;
}

/** What was said below one message. */
export function ThreadPane({ state, title, root, at, wish: asked, onClose, isSheet }: Props) {
  const words = useWords();
  const outer = useChat();
  const { room } = outer;
  const [thread] = useState(() => room.thread(root));
  const shown = useSyncExternalStore(
    useCallback((told: () => void) => thread.on("change", told), [thread]),
    () => thread.state,
  );
  useFollowed(thread, at);
  const [own, setOwn] = useState<Wish>();
  const wish = latest(asked, own);
  const [local, setLocal] = useState<Target>();
  const target = useMemo(() => latest(local, at && { key: keyOf(at.seq), stamp: at.stamp }), [local, at]);

  const first = findMessage(state.messages, root) ?? state.beside.get(root);
  useEffect(() => {
    if (!first) room.look(root);
  }, [first, room, root]);

  const chat = useMemo<Chat>(
    () => ({
      ...outer,
      thread: root,
      actions: {
        ...outer.actions,
        reply: ({ seq, text }) => setOwn({ kind: "reply", seq, text, stamp: Date.now() }),
        edit: ({ seq, text }) => setOwn({ kind: "edit", seq, text, stamp: Date.now() }),
        show: (seq) => setLocal({ key: keyOf(seq), stamp: Date.now() }),
      },
    }),
    [outer, root],
  );
  const pending = useMemo(() => state.pending.filter((each) => each.thread === root), [state.pending, root]);
  const rows = useMemo(
    () =>
      shown.phase === "open" || pending.length > 0
        ? threadRowsOf(first, {
            messages: shown.messages,
            pending: shown.moreAfter ? [] : pending,
            me: outer.me,
            isWhole: !shown.more,
          })
        : [],
    [shown, pending, first, outer.me],
  );
  const older = useCallback(() => void thread.loadOlder(), [thread]);
  const newer = useCallback(() => void thread.loadNewer(), [thread]);
  const find = useCallback(
    (seq: number) => (seq === root ? first : findMessage(shown.messages, seq)),
    [first, root, shown.messages],
  );
  const renderRow = useThreadRows(rows, find);

  return (
    <Pane
      title={words.chat.threadTitle}
      subtitle={<Name name={title} />}
      onClose={onClose}
      isSheet={isSheet}
      testId="thread"
    >
      <ChatContext value={chat}>
        {shown.phase === "failed" ? (
          <p className="pane-empty muted">{words.chat.threadFailed}</p>
        ) : (
          <MessageList
            rows={rows}
            view={`thread-${shown.view}`}
            label={words.chat.threadOf(title)}
            head={shown.loading && <Loading />}
            hasOlder={shown.more}
            onOlder={older}
            hasNewer={shown.moreAfter}
            onNewer={newer}
            target={target}
            renderRow={renderRow}
          >
            {({ toEnd }) => <FollowOwn count={pending.length} toEnd={toEnd} />}
          </MessageList>
        )}
        <Composer state={state} title={title} wish={wish} find={find} messages={shown.messages} />
      </ChatContext>
    </Pane>
  );
}

function latest<T extends { stamp: number }>(one: T | undefined, other: T | undefined): T | undefined {
  if (!one || !other) return one ?? other;
  return one.stamp >= other.stamp ? one : other;
}

/** The thread is followed while it is shown. */
function useFollowed(thread: ReturnType<ReturnType<typeof useChat>["room"]["thread"]>, at: Props["at"]): void {
  const wished = useRef<number>(undefined);
  useEffect(() => {
    thread.follow();
    return () => thread.close();
  }, [thread]);
  useEffect(() => {
    const isHere = at === undefined || findMessage(thread.state.messages, at.seq) !== undefined;
    if (thread.state.phase === "open" && (isHere || wished.current === at?.stamp)) return;
    wished.current = at?.stamp;
    void thread.load(at?.seq);
  }, [thread, at]);
}

function useThreadRows(rows: readonly Row[], find: (seq: number) => ShownMessage | undefined) {
  const words = useWords();
  return useCallback(
    (row: Row, rowState: RowState) => {
      switch (row.kind) {
        case "message":
          return (
            <MessageRow
              row={row.key}
              message={row.message}
              isFirst={row.isFirst}
              answered={row.message.reply_to === undefined ? undefined : find(row.message.reply_to)}
              {...rowState}
            />
          );
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
        case "replies":
          return (
            <div className="separator replies-line">
              <span>{row.count === 0 ? words.chat.threadEmpty : words.chat.repliesLine(row.count)}</span>
            </div>
          );
        case "intro":
        case "day":
        case "unread":
        case "note":
          return <div />;
      }
    },
    [rows, find, words],
  );
}

function FollowOwn({ count, toEnd }: { count: number; toEnd: () => void }) {
  const before = useRef(count);
  useEffect(() => {
    if (count > before.current) toEnd();
    before.current = count;
  });
  return null;
}
