import type { Room, RoomState } from "@stoa/client";
import { useEffect, useState } from "react";
import { Banner } from "./Banner.tsx";
import { Composer, type Mode } from "./Composer.tsx";
import { useMedia, useOpenRoom, useProfiles, useRoomState, useRooms } from "./hooks.ts";
import { People } from "./People.tsx";
import type { View } from "./place.ts";
import { Refused } from "./Refused.tsx";
import { RoomHead } from "./RoomHead.tsx";
import { Timeline } from "./Timeline.tsx";
import { Typing } from "./Typing.tsx";
import { plain } from "./text.tsx";
import { faultText, useWords } from "./words/index.ts";

interface Props {
  id: string;
  unread: number;
  /** The message that the address names. */
  seq?: number;
  /** What stands beside the chat. */
  view: View;
}

export function RoomView({ id, unread, seq, view }: Props) {
  const words = useWords();
  const room = useOpenRoom(id);
  const state = useRoomState(room);
  const title = useTitle(id, state);
  const isWide = useMedia("(min-width: 1080px)");
  const [isAsked, setAsked] = useState<boolean>();
  const [mode, setMode] = useState<Mode>({ kind: "new" });
  const [jump, setJump] = useState<{ seq: number } | undefined>(seq === undefined ? undefined : { seq });
  const [notice, setNotice] = useNotice(room, setMode);
  const hasPeople = isAsked ?? isWide;

  useEffect(() => {
    if (seq !== undefined) setJump({ seq });
  }, [seq]);

  useEffect(() => {
    document.title = words.unreadTitle(unread, `${plain(title)} · Stoa`);
  }, [title, unread, words.unreadTitle]);

  if (state.phase === "refused") return <Refused state={state} />;
  return (
    <>
      <main className="room" id="room" tabIndex={-1} data-phase={state.phase} data-seq={state.seq} data-view={view}>
        <RoomHead state={state} title={title} hasPeople={hasPeople} onPeople={() => setAsked(!hasPeople)} />
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
        // A message that was refused says so where it stands, and what was asked for in a dialog there.
        if (command.type === "chat.send" || !command.type.startsWith("chat.")) return;
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
