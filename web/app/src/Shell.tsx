import { useEffect, useRef } from "react";
import { CallHost } from "./call/CallHost.tsx";
import { Dialogs } from "./Dialogs.tsx";
import { useClient, useClientState, useMedia, useRooms } from "./hooks.ts";
import { useNotifications } from "./notify.ts";
import { go, usePlace } from "./place.ts";
import { noteRemoval } from "./Refused.tsx";
import { RoomView } from "./RoomView.tsx";
import { Sidebar } from "./Sidebar.tsx";
import { Toasts } from "./Toasts.tsx";
import { say, showDialog } from "./told.ts";
import { currentWords, useWords } from "./words/index.ts";

/** A fresh server has this room, so that nobody meets an empty page. */
const LOBBY = "lobby";

export function Shell({ onLogOut }: { onLogOut: (() => void) | undefined }) {
  const words = useWords();
  const { room, seq, view, document: shown } = usePlace();
  const isWide = useMedia("(min-width: 760px)");
  const { status } = useClientState();
  const client = useClient();
  const rooms = useRooms();
  const unread = rooms.reduce((sum, entry) => sum + entry.unread, 0);
  useNotifications(client);
  useRoutes(room);

  // Nobody asked for a room: the newest one, or the lobby for those who have none. On a phone the list is a page of
  // its own.
  useEffect(() => {
    if (room !== undefined || status !== "connected" || !client.hasRooms) return;
    const [newest] = client.rooms;
    if (!newest) go(LOBBY, "replace");
    else if (isWide) go(newest.info.room, "replace");
  }, [room, status, client, isWide]);

  useEffect(() => {
    if (room === undefined) document.title = words.unreadTitle(unread, "Stoa");
  }, [room, unread, words]);

  useLeaveWarning();

  useEffect(() => {
    const stops = [
      client.on("removed", ({ room, reason, from }) => {
        noteRemoval(room, reason);
        if (from === client.state.user || reason === "left") return;
        const title =
          client.rooms.find(({ info }) => info.room === room)?.info.title ?? client.room(room).state.info?.title;
        say(currentWords().removedFrom(title || room), "problem");
      }),
      client.on("invited", (event) => noteRemoval(event.room, undefined)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [client]);

  return (
    <div className={`shell ${room === undefined ? "at-list" : "at-room"}`}>
      {room !== undefined && (
        <button type="button" className="skip" onClick={skip}>
          {words.skip}
        </button>
      )}
      <Sidebar current={room} onLogOut={onLogOut} />
      {room === undefined ? (
        <main className="room" id="room" tabIndex={-1} />
      ) : (
        <RoomView key={room} id={room} unread={unread} seq={seq} view={view} document={shown} />
      )}
      <CallHost />
      <Dialogs />
      <Toasts />
    </div>
  );
}

function skip(): void {
  document.querySelector<HTMLElement>("main.room")?.focus();
}

/** What waits and is kept nowhere would be lost: the browser asks before it leaves. */
function useLeaveWarning(): void {
  const { waiting, isSaved } = useClientState();
  const isAtRisk = waiting > 0 && !isSaved;
  useEffect(() => {
    if (!isAtRisk) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [isAtRisk]);
}

/** Another room is another page: what was open over the last one is closed, and the focus is in the new one. */
function useRoutes(room: string | undefined): void {
  const before = useRef(room);
  useEffect(() => {
    if (before.current === room) return;
    before.current = room;
    showDialog(undefined);
    if (room === undefined) document.querySelector<HTMLElement>(".sidebar .room-row")?.focus();
  }, [room]);
}
