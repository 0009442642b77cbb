import type { Message, Room, RoomState } from "@stoa/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Banner } from "./Banner.tsx";
import { Boundary } from "./Boundary.tsx";
import { StageButton, StageSlot } from "./board/StageSlot.tsx";
import { CallBar, CallButtons, CallSlot } from "./call/CallHead.tsx";
import { Composer, type Wish } from "./chat/Composer.tsx";
import { type Chat, ChatContext, type RowActions, rightsOf } from "./chat/chat.ts";
import { EmojiPopover } from "./chat/EmojiButton.tsx";
import { Tools } from "./chat/MessageRow.tsx";
import { PinsPane } from "./chat/PinsPane.tsx";
import { findMessage, keyOf } from "./chat/rows.ts";
import { SearchPane } from "./chat/SearchPane.tsx";
import type { Target } from "./chat/scroll.ts";
import { ThreadPane } from "./chat/ThreadPane.tsx";
import { Timeline } from "./chat/Timeline.tsx";
import { Typing } from "./chat/Typing.tsx";
import { useClientState, useMedia, useOpenRoom, useProfiles, useRoomState, useRooms } from "./hooks.ts";
import { IconButton } from "./IconButton.tsx";
import { PinIcon, SearchIcon } from "./icons.tsx";
import { whenIdle } from "./later.tsx";
import { People } from "./People.tsx";
import { go, type View } from "./place.ts";
import { Refused } from "./Refused.tsx";
import { RoomHead } from "./RoomHead.tsx";
import { plain } from "./text.tsx";
import { say } from "./told.ts";
import { currentWords, faultText, useWords } from "./words/index.ts";

interface Props {
  id: string;
  unread: number;
  /** The message that the address names. */
  seq?: number;
  /** What stands beside the chat. */
  view: View;
  /** The shared document that the address names. */
  document?: string;
}

/** What is open beside the chat, in the place of the people. */
type Aside =
  | { kind: "thread"; root: number; at: { seq: number; stamp: number } | undefined }
  | { kind: "search" }
  | { kind: "pins" };

/** What the first message that is pointed at needs is got while the room is read. */
function useLaterParts(isOpen: boolean): void {
  useEffect(() => {
    if (!isOpen) return;
    return whenIdle(() => {
      Tools.preload();
      EmojiPopover.preload();
    });
  }, [isOpen]);
}

/** What stands beside the chat cannot be shown: the chat goes on, and it is said. */
function PartAway({ onClose }: { onClose: () => void }) {
  const close = useRef(onClose);
  useEffect(() => {
    say(currentWords().partAway, "problem");
    close.current();
  }, []);
  return null;
}

let stamps = 0;
/** Two wishes for the same thing are two. */
function stamp(): number {
  stamps = Math.max(stamps + 1, Date.now());
  return stamps;
}

export function RoomView({ id, unread, seq, view, document: shown }: Props) {
  const words = useWords();
  const room = useOpenRoom(id);
  const state = useRoomState(room);
  const title = useTitle(id, state);
  const { user: me } = useClientState();
  const isWide = useMedia("(min-width: 1080px)");
  const [isAsked, setAsked] = useState<boolean>();
  const [aside, setAside] = useState<Aside>();
  const [wish, setWish] = useState<Wish>();
  const [notice, setNotice] = useNotice(room, setWish);
  const { target, goTo } = useGoing(room, setNotice, setAside);
  const hasPeople = (isAsked ?? (isWide && view === "chat")) && aside === undefined;
  const chat = useChatOf(room, state, me, { setWish, setAside, setNotice, goTo });
  const find = useCallback(
    (place: number) => findMessage(state.messages, place) ?? state.beside.get(place),
    [state.messages, state.beside],
  );
  usePlaceOf(seq, state, goTo);
  useLaterParts(state.phase === "open");

  useEffect(() => {
    document.title = words.unreadTitle(unread, `${plain(title)} · Stoa`);
  }, [title, unread, words.unreadTitle]);

  if (state.phase === "refused") return <Refused state={state} />;
  const toggle = (kind: "search" | "pins") => setAside(aside?.kind === kind ? undefined : { kind });
  const close = () => setAside(undefined);
  const goFrom = (place: number, thread?: number) => {
    if (!isWide) setAside(undefined);
    goTo(place, thread);
  };
  const goToHit = (message: Message) => {
    if (message.room === id) return goFrom(message.seq, message.thread);
    go({ room: message.room, seq: message.thread ?? message.seq });
  };
  return (
    <ChatContext value={chat}>
      <Boundary key={view} fallback={<PartAway onClose={() => go({ room: id })} />}>
        <CallSlot room={room} state={state} title={title} view={view} />
        <StageSlot room={room} state={state} view={view} document={shown} />
      </Boundary>
      <main className="room" id="room" tabIndex={-1} data-phase={state.phase} data-seq={state.seq} data-view={view}>
        <RoomHead
          state={state}
          title={title}
          hasPeople={hasPeople}
          onPeople={() => {
            setAside(undefined);
            setAsked(!hasPeople);
          }}
          first={
            <>
              <CallButtons state={state} isOpen={view === "call"} />
              <StageButton room={id} view={view} />
            </>
          }
        >
          <IconButton
            label={words.chat.searchTitle}
            isPressed={aside?.kind === "search"}
            onPress={() => toggle("search")}
          >
            <SearchIcon />
          </IconButton>
          <IconButton label={words.chat.pinsTitle} isPressed={aside?.kind === "pins"} onPress={() => toggle("pins")}>
            <PinIcon />
            {state.pins.length > 0 && <span className="count">{state.pins.length}</span>}
          </IconButton>
        </RoomHead>
        <Banner />
        {view !== "call" && <CallBar state={state} />}
        {state.info ? (
          <Timeline state={state} title={title} target={target} onGo={goTo} />
        ) : (
          <div className="timeline-wait muted">{words.loading}</div>
        )}
        <Typing typing={state.typing} />
        {me !== undefined && (
          <Composer key={`${me}/${id}`} state={state} title={title} wish={wish} find={find} messages={state.messages} />
        )}
        {notice !== undefined && (
          <div className="notice" role="alert">
            <span>{notice}</span>
            <button type="button" className="link" onClick={() => setNotice(undefined)}>
              {words.close}
            </button>
          </div>
        )}
      </main>
      {aside?.kind === "thread" && (
        <ThreadPane
          key={aside.root}
          state={state}
          title={title}
          root={aside.root}
          at={aside.at}
          wish={undefined}
          onClose={close}
          isSheet={!isWide}
        />
      )}
      {aside?.kind === "search" && <SearchPane state={state} onClose={close} onGo={goToHit} isSheet={!isWide} />}
      {aside?.kind === "pins" && <PinsPane state={state} onClose={close} onGo={goFrom} isSheet={!isWide} />}
      {hasPeople && <People state={state} onClose={() => setAsked(false)} onJump={goTo} isSheet={!isWide} />}
    </ChatContext>
  );
}

type GoTo = (seq: number, thread?: number) => void;

/** Goes to messages: loads what is around them, and opens the thread that one of them is in. */
function useGoing(room: Room, tell: (text: string) => void, setAside: (aside: Aside) => void) {
  const words = useWords();
  const [target, setTarget] = useState<Target>();
  const goTo = useCallback<GoTo>(
    (seq, thread) => {
      const place = thread ?? seq;
      if (thread !== undefined) setAside({ kind: "thread", root: thread, at: { seq, stamp: stamp() } });
      setTarget({ key: keyOf(place), stamp: stamp() });
      room.goTo(place).then(
        (isFound) => {
          if (!isFound && thread === undefined) tell(words.chat.notHere);
        },
        () => {},
      );
    },
    [room, tell, setAside, words.chat.notHere],
  );
  return { target, goTo };
}

/** The message that the address names is gone to once, when the room is there. */
function usePlaceOf(seq: number | undefined, { info }: RoomState, goTo: GoTo): void {
  const done = useRef<number>(undefined);
  const isThere = info !== undefined;
  useEffect(() => {
    if (seq === undefined) done.current = undefined;
    if (seq === undefined || !isThere || done.current === seq) return;
    done.current = seq;
    const reply = Number(new URLSearchParams(location.search).get("reply") ?? Number.NaN);
    if (Number.isSafeInteger(reply)) goTo(reply, seq);
    else goTo(seq);
  }, [seq, isThere, goTo]);
}

interface Setters {
  setWish: (wish: Wish) => void;
  setAside: (aside: Aside) => void;
  setNotice: (text: string) => void;
  goTo: GoTo;
}

function useChatOf(room: Room, state: RoomState, me: string | undefined, setters: Setters): Chat {
  const nameOf = useProfiles();
  const { access, info } = state;
  const isArchived = info?.archived === true;
  const { setWish, setAside, setNotice, goTo } = setters;
  const rights = useMemo(() => rightsOf(access, isArchived), [access, isArchived]);
  const actions = useMemo<RowActions>(
    () => ({
      reply: ({ seq, text }) => setWish({ kind: "reply", seq, text, stamp: stamp() }),
      edit: ({ seq, text }) => setWish({ kind: "edit", seq, text, stamp: stamp() }),
      thread: ({ seq, thread }) => setAside({ kind: "thread", root: thread ?? seq, at: undefined }),
      show: goTo,
      tell: setNotice,
    }),
    [setWish, setAside, setNotice, goTo],
  );
  return useMemo(() => ({ room, me, rights, nameOf, actions, thread: undefined }), [room, me, rights, nameOf, actions]);
}

function useTitle(id: string, { info }: RoomState): string {
  const rooms = useRooms();
  const nameOf = useProfiles();
  const entry = rooms.find((each) => each.info.room === id);
  if (entry?.peer !== undefined) return nameOf(entry.peer).name;
  return info?.title || entry?.info.title || id;
}

const NOTICE_MS = 8_000;

/** Tells what was refused. A refused edit opens again with its words, so that they are not lost. */
function useNotice(room: Room, setWish: (wish: Wish) => void) {
  const words = useWords();
  const [notice, setNotice] = useState<string>();
  useEffect(
    () =>
      room.on("refused", ({ command, fault }) => {
        // A message that was refused says so where it stands, and what was asked for in a dialog there.
        if (command.type === "chat.send" || !command.type.startsWith("chat.")) return;
        setNotice(words.refusedCommand(faultText(fault)));
        if (command.type !== "chat.edit") return;
        const { target: seq, text } = command;
        setWish({ kind: "edit", seq, text, was: "", stamp: stamp() });
      }),
    [room, setWish, words.refusedCommand],
  );
  useEffect(() => {
    if (notice === undefined) return;
    const handle = setTimeout(() => setNotice(undefined), NOTICE_MS);
    return () => clearTimeout(handle);
  }, [notice]);
  return [notice, setNotice] as const;
}
