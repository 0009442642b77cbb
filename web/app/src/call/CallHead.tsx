// What a room shows of its call to those who are not looking at it.
import type { Room, RoomState } from "@stoa/client";
import { lazy, Suspense } from "react";
import { useClientState, useProfiles } from "../hooks.ts";
import { go, type View } from "../place.ts";
import { plain } from "../text.tsx";
import { listOf, useWords } from "../words/index.ts";
import { useSitting } from "./desk.ts";
import { CameraIcon, PhoneIcon } from "./icons.tsx";
import { intend } from "./intent.ts";

const CallStage = lazy(() => import("./CallStage.tsx"));

interface SlotProps {
  room: Room;
  state: RoomState;
  title: string;
  view: View;
}

/** The call, where the address asks for it. */
export function CallSlot({ room, state, title, view }: SlotProps) {
  if (view !== "call") return null;
  return (
    <Suspense fallback={<section className="stage call-stage" aria-busy="true" />}>
      <CallStage key={room.id} room={room} state={state} title={title} />
    </Suspense>
  );
}

interface Props {
  state: RoomState;
  isOpen: boolean;
}

/** Begins a call, or shows the one that runs. */
export function CallButtons({ state, isOpen }: Props) {
  const words = useWords();
  const { room, call, access, info } = state;
  const { features } = useClientState();
  if (!features.includes("calls") || !access?.capabilities.includes("call") || info?.archived) return null;
  const open = (media: "audio" | "video") => {
    intend(media);
    go({ room, view: isOpen ? "chat" : "call" });
  };
  const label = call ? words.call.join(call.participants.length) : words.call.video;
  return (
    <>
      <button
        type="button"
        className={`icon-button ${call ? "call-runs" : ""}`}
        title={label}
        aria-pressed={isOpen}
        onClick={() => open("video")}
        data-testid="call-toggle"
      >
        <CameraIcon />
        <span className="hidden">{label}</span>
      </button>
      {!call && (
        <button type="button" className="icon-button only-wide" title={words.call.voice} onClick={() => open("audio")}>
          <PhoneIcon />
          <span className="hidden">{words.call.voice}</span>
        </button>
      )}
    </>
  );
}

/** Tells that a call runs in this room, and leads into it. */
export function CallBar({ state }: { state: RoomState }) {
  const words = useWords();
  const nameOf = useProfiles();
  const sitting = useSitting();
  const { call, room } = state;
  const isIn = sitting?.room.id === room && sitting.isBusy;
  if (!call || isIn) return null;
  const users = [...new Set(call.participants.map(({ user }) => user))];
  return (
    <div className="call-bar" data-testid="call-bar">
      <PhoneIcon />
      <span role="status">
        <bdi>
          {users.length > 0
            ? words.call.running(listOf(users.map((user) => plain(nameOf(user).name))))
            : words.call.runs}
        </bdi>
      </span>
      <button type="button" className="button small primary" onClick={() => go({ room, view: "call" })}>
        {words.call.join(call.participants.length)}
      </button>
    </div>
  );
}
