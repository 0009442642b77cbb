// Where the board and the shared texts come into a room: what they need is loaded when somebody opens them.
import type { Room, RoomState } from "@stoa/client";
import { lazy, Suspense } from "react";
import { BoardIcon } from "../icons.tsx";
import { go, type View } from "../place.ts";
import { useWords } from "../words/index.ts";
import { chosenIn } from "./chosen.ts";

const Stage = lazy(() => import("./Stage.tsx"));

interface SlotProps {
  room: Room;
  state: RoomState;
  view: View;
  document: string | undefined;
}

/** The stage, where the address asks for it. */
export function StageSlot({ room, state, view, document }: SlotProps) {
  if (view !== "board") return null;
  return (
    <Suspense fallback={<section className="stage" aria-busy="true" />}>
      <Stage key={room.id} room={room} state={state} wanted={document} />
    </Suspense>
  );
}

/** Opens and closes it. */
export function StageButton({ room, view }: { room: string; view: View }) {
  const words = useWords();
  const isOpen = view === "board";
  return (
    <button
      type="button"
      className="icon-button"
      title={words.openBoard}
      aria-pressed={isOpen}
      onClick={() => go(isOpen ? { room } : { room, view: "board", document: chosenIn(room) })}
      data-testid="board-toggle"
    >
      <BoardIcon />
      <span className="hidden">{words.openBoard}</span>
    </button>
  );
}
