import type { RoomState } from "@stoa/client";
import { useEffect, useState } from "react";
import { Banner } from "./Banner.tsx";
import { useClient } from "./hooks.ts";
import { BackIcon, DoorIcon } from "./icons.tsx";
import { go } from "./place.ts";
import { useWords } from "./words/index.ts";

/** A room that is not open to the reader, or not any more. */
export function Refused({ state }: { state: RoomState }) {
  const words = useWords();
  const client = useClient();
  const reason = useRemoval(state.room);
  const isGone = reason !== undefined || state.fault?.code === "forbidden";
  return (
    <main className="room" id="room" tabIndex={-1} data-phase="refused">
      <header className="room-head only-narrow-flex">
        <button type="button" className="icon-button" title={words.back} onClick={() => go(undefined)}>
          <BackIcon />
          <span className="hidden">{words.back}</span>
        </button>
      </header>
      <Banner />
      <div className="room-refused">
        <DoorIcon />
        <h2>{isGone ? words.forbidden : words.notFound}</h2>
        <p className="muted" role="status">
          {isGone ? words.removals[reason ?? "removed"] : words.notFoundWhy}
        </p>
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

type Removal = "left" | "removed" | "banned";

/** How the membership ended, where it ended while the page was open. */
function useRemoval(room: string): Removal | undefined {
  const client = useClient();
  const [reason, setReason] = useState<Removal | undefined>(() => ended.get(room));
  useEffect(
    () =>
      client.on("removed", (event) => {
        if (event.room === room) setReason(event.reason as Removal);
      }),
    [client, room],
  );
  return reason;
}

const ended = new Map<string, Removal>();

/** Remembers how memberships end: the room is told to be closed before or after its user is told why. */
export function noteRemoval(room: string, reason: string | undefined): void {
  if (reason === "left" || reason === "removed" || reason === "banned") ended.set(room, reason);
  else ended.delete(room);
}
