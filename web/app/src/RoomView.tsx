import type { Room, RoomState } from "@stoa/client";
import { useEffect, useState } from "react";
import { Banner } from "./Banner.tsx";
import { Composer, type Mode } from "./Composer.tsx";
import { useClient, useClientState, useMedia, useOpenRoom, useProfiles, useRoomState, useRooms } from "./hooks.ts";
import { BackIcon, CheckIcon, LinkIcon, PeopleIcon } from "./icons.tsx";
import { People } from "./People.tsx";
import { addressOf, go } from "./place.ts";
import { Timeline } from "./Timeline.tsx";
import { Typing } from "./Typing.tsx";
import { Name, plain } from "./text.tsx";
import { faultText, useWords } from "./words/index.ts";

export function RoomView({ id, unread }: { id: string; unread: number }) {
  const words = useWords();
  const room = useOpenRoom(id);
  const state = useRoomState(room);
  const title = useTitle(id, state);
  const isWide = useMedia("(min-width: 1080px)");
  const [isAsked, setAsked] = useState<boolean>();
  const [mode, setMode] = useState<Mode>({ kind: "new" });
  const [jump, setJump] = useState<{ seq: number }>();
  const [notice, setNotice] = useNotice(room, setMode);
  const hasPeople = isAsked ?? isWide;

  useEffect(() => {
    document.title = words.unreadTitle(unread, `${plain(title)} · Stoa`);
  }, [title, unread, words.unreadTitle]);

  if (state.phase === "refused") return <Refused state={state} />;
  return (
    <>
      <main className="room" data-phase={state.phase} data-seq={state.seq}>
        <Head state={state} title={title} hasPeople={hasPeople} onPeople={() => setAsked(!hasPeople)} />
        <Banner />
        {state.info ? (
          <Timeline room={room} state={state} onMode={setMode} jump={jump} />
        ) : (
          <div className="timeline-wait muted">{words.loading}</div>
        )}
        <Typing typing={state.typing} />
        <Composer key={id} room={room} state={state} title={title} mode={mode} onMode={setMode} />
        {notice !== undefined && (
          <div className="notice" role="alert">
            <span>{notice}</span>
            <button type="button" className="link" onClick={() => setNotice(undefined)}>
              {words.close}
            </button>
          </div>
        )}
      </main>
      {hasPeople && (
        <People state={state} onClose={() => setAsked(false)} onJump={(seq) => setJump({ seq })} isSheet={!isWide} />
      )}
    </>
  );
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
function useNotice(room: Room, setMode: (mode: Mode) => void) {
  const words = useWords();
  const [notice, setNotice] = useState<string>();
  useEffect(
    () =>
      room.on("refused", ({ command, fault }) => {
        // A message that was refused says so where it stands.
        if (command.type === "chat.send") return;
        setNotice(words.refusedCommand(faultText(fault)));
        if (command.type === "chat.edit") setMode({ kind: "edit", seq: command.target, text: command.text });
      }),
    [room, setMode, words.refusedCommand],
  );
  useEffect(() => {
    if (notice === undefined) return;
    const handle = setTimeout(() => setNotice(undefined), NOTICE_MS);
    return () => clearTimeout(handle);
  }, [notice]);
  return [notice, setNotice] as const;
}

interface HeadProps {
  state: RoomState;
  title: string;
  hasPeople: boolean;
  onPeople: () => void;
}

function Head({ state, title, hasPeople, onPeople }: HeadProps) {
  const words = useWords();
  return (
    <header className="room-head">
      <button type="button" className="icon-button only-narrow" title={words.back} onClick={() => go(undefined)}>
        <BackIcon />
        <span className="hidden">{words.back}</span>
      </button>
      <div className="room-head-text">
        <h2>
          <Name name={title} />
        </h2>
        <p className="muted">
          {state.online > 0 && <span data-testid="online">{words.onlineCount(state.online)}</span>}
          {state.info?.topic && <bdi className="topic">{state.info.topic}</bdi>}
        </p>
      </div>
      <CopyLink id={state.room} />
      <button
        type="button"
        className="icon-button"
        title={words.people}
        aria-pressed={hasPeople}
        onClick={onPeople}
        data-testid="people-toggle"
      >
        <PeopleIcon />
        <span className="hidden">{words.people}</span>
      </button>
    </header>
  );
}

function CopyLink({ id }: { id: string }) {
  const words = useWords();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const handle = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(handle);
  }, [isCopied]);
  const url = addressOf(id).href;
  // Pages that are not served over TLS have no clipboard; the address bar shows the same link.
  if (!navigator.clipboard) return null;
  const copy = () =>
    navigator.clipboard.writeText(url).then(
      () => setCopied(true),
      () => {},
    );
  return (
    <button type="button" className="icon-button" title={words.copyLink} onClick={copy}>
      {isCopied ? <CheckIcon /> : <LinkIcon />}
      <span className="hidden" role="status">
        {isCopied ? words.copied : words.copyLink}
      </span>
    </button>
  );
}

function Refused({ state }: { state: RoomState }) {
  const words = useWords();
  const client = useClient();
  const { status } = useClientState();
  const isGone = state.fault?.code === "forbidden";
  return (
    <main className="room" data-phase="refused">
      {status !== "connected" && <Banner />}
      <div className="room-refused">
        <h2>{isGone ? words.forbidden : words.notFound}</h2>
        <p className="muted">{isGone ? state.fault?.message : words.notFoundWhy}</p>
        <div className="row">
          <button type="button" className="button" onClick={() => void client.room(state.room).open()}>
            {words.tryAgain}
          </button>
          <button type="button" className="button primary" onClick={() => go(undefined)}>
            {words.toList}
          </button>
        </div>
      </div>
    </main>
  );
}
