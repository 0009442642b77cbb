import type { RoomState } from "@stoa/client";
import { Banner } from "./Banner.tsx";
import { useClient, useClientState } from "./hooks.ts";
import { go } from "./place.ts";
import { useWords } from "./words/index.ts";

/** A room that is not open to the reader, or not any more. */
export function Refused({ state }: { state: RoomState }) {
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
