// A room's call, beside its chat.
import "./call.css";
import type { Room, RoomState } from "@stoa/client";
import type { CallOver } from "@stoa/client/call";
import { useEffect, useState } from "react";
import { useClient } from "../hooks.ts";
import { CloseIcon } from "../icons.tsx";
import { go } from "../place.ts";
import { rise, sit, useAnswering, useSitting } from "./desk.ts";
import { InCall } from "./InCall.tsx";
import { wantsCamera } from "./intent.ts";
import { Prejoin } from "./Prejoin.tsx";
import type { Sitting } from "./sitting.ts";
import { useCallState } from "./state.ts";
import { type CallWords, useCallWords } from "./words.ts";

interface Props {
  room: Room;
  state: RoomState;
  title: string;
}

export default function CallStage({ room, state, title }: Props) {
  const words = useCallWords();
  const client = useClient();
  const sitting = useSitting();
  const [isElsewhere] = useState(() => sitting !== undefined && sitting.room !== room && sitting.isBusy);

  useEffect(() => {
    // A call that runs in another room is not ended by a look at this one.
    if (isElsewhere) return;
    void sit(client, room.id);
  }, [client, room, isElsewhere]);

  // Who goes away without a call gives the devices back.
  useEffect(
    () => () => {
      if (sitting?.room === room && !sitting.isBusy) rise(sitting);
    },
    [sitting, room],
  );

  const isHere = sitting?.room === room;
  return (
    <section className="stage call-stage" aria-label={words.callIn(title)} data-testid="call-stage">
      <header className="call-head">
        <h2>{words.title}</h2>
        <button type="button" className="icon-button" title={words.toChat} onClick={() => go({ room: room.id })}>
          <CloseIcon />
          <span className="hidden">{words.toChat}</span>
        </button>
      </header>
      {isHere && <Seated key={sitting.room.id} sitting={sitting} state={state} words={words} />}
      {!isHere && sitting?.isBusy && <Elsewhere sitting={sitting} room={room} words={words} />}
    </section>
  );
}

function Seated({ sitting, state, words }: { sitting: Sitting; state: RoomState; words: CallWords }) {
  const call = useCallState(sitting.call);
  const answering = useAnswering();
  switch (call.phase) {
    case "out":
      if (answering === sitting.room.id) return <Joining words={words} />;
      return call.over === undefined ? (
        <Prejoin sitting={sitting} state={call} room={state} words={words} hasCamera={wantsCamera()} />
      ) : (
        <Over
          sitting={sitting}
          over={call.over}
          runs={call.call !== undefined}
          isLocked={call.call?.locked ?? false}
          words={words}
        />
      );
    case "waiting":
      return (
        <div className="call-told" data-testid="in-lobby">
          <h3>{words.inLobby}</h3>
          <p className="muted" role="status">
            {words.inLobbyWhy}
          </p>
          <button type="button" className="button" onClick={() => void sitting.call.leave().catch(() => {})}>
            {words.stopWaiting}
          </button>
        </div>
      );
    case "joining":
      if (call.participants.some(({ isMe }) => isMe)) break;
      return <Joining words={words} />;
    case "in":
      break;
  }
  return <InCall sitting={sitting} state={call} room={state} words={words} />;
}

function Joining({ words }: { words: CallWords }) {
  return (
    <div className="call-told">
      <span className="spinner" />
      <p role="status">{words.joining}</p>
    </div>
  );
}

interface OverProps {
  sitting: Sitting;
  over: CallOver;
  /** Whether the call goes on without. */
  runs: boolean;
  /** Whether it lets nobody new in. */
  isLocked: boolean;
  words: CallWords;
}

/** Why one is in the call no more. */
function Over({ sitting, over, runs, isLocked, words }: OverProps) {
  const client = useClient();
  const { id } = sitting.room;
  const isFinal = over === "removed" || over === "rights" || over === "refused";
  return (
    <div className="call-told" data-testid="call-over" data-over={over}>
      <h3>{words.over}</h3>
      <p role="status">{over === "forbidden" && isLocked ? words.isLocked : overText(over, words)}</p>
      <div className="call-told-actions">
        {!isFinal && (
          <button
            type="button"
            className="button primary"
            onClick={() => {
              rise(sitting);
              void sit(client, id);
            }}
          >
            {runs ? words.again : words.callAgain}
          </button>
        )}
        <button type="button" className="button" onClick={() => go({ room: id })}>
          {words.toChat}
        </button>
      </div>
    </div>
  );
}

export function overText(over: CallOver, words: CallWords): string {
  return Object.hasOwn(words.overs, over) ? words.overs[over as keyof CallWords["overs"]] : words.overs.other;
}

function Elsewhere({ sitting, room, words }: { sitting: Sitting; room: Room; words: CallWords }) {
  const client = useClient();
  const { info } = sitting.room.state;
  return (
    <div className="call-told">
      <p>{words.otherCall(info?.title || sitting.room.id)}</p>
      <div className="call-told-actions">
        <button type="button" className="button primary" onClick={() => go({ room: sitting.room.id, view: "call" })}>
          {words.goThere}
        </button>
        <button
          type="button"
          className="button"
          onClick={() => {
            rise(sitting);
            void sit(client, room.id);
          }}
        >
          {words.leaveAndCall}
        </button>
      </div>
    </div>
  );
}
