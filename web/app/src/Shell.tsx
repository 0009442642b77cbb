import { useEffect } from "react";
import { useClient, useClientState, useMedia, useRooms } from "./hooks.ts";
import { go, usePlace } from "./place.ts";
import { RoomView } from "./RoomView.tsx";
import { Sidebar } from "./Sidebar.tsx";
import { useWords } from "./words/index.ts";

/** A fresh server has this room, so that nobody meets an empty page. */
const LOBBY = "lobby";

export function Shell({ onLogOut }: { onLogOut: (() => void) | undefined }) {
  const words = useWords();
  const { room, seq, view } = usePlace();
  const isWide = useMedia("(min-width: 760px)");
  const { status } = useClientState();
  const client = useClient();
  const rooms = useRooms();
  const unread = rooms.reduce((sum, entry) => sum + entry.unread, 0);

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
  }, [room, unread, words.unreadTitle]);

  return (
    <div className={`shell ${room === undefined ? "at-list" : "at-room"}`}>
      <Sidebar current={room} onLogOut={onLogOut} />
      {room === undefined ? (
        <main className="room" />
      ) : (
        <RoomView key={room} id={room} unread={unread} seq={seq} view={view} />
      )}
    </div>
  );
}
