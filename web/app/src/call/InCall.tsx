import type { RoomState } from "@stoa/client";
import type { CallState } from "@stoa/client/call";
import { type CSSProperties, useEffect, useRef, useState } from "react";
import { useProfiles } from "../hooks.ts";
import { plain } from "../text.tsx";
import { listOf } from "../words/index.ts";
import { CallPeople } from "./CallPeople.tsx";
import { Controls, type Panel } from "./Controls.tsx";
import { DeviceProblems, Devices } from "./Devices.tsx";
import { arrange, columnsOf, type Layout } from "./layout.ts";
import type { Sitting } from "./sitting.ts";
import { ScreenTile, Tile } from "./Tile.tsx";
import type { CallWords } from "./words.ts";

interface Props {
  sitting: Sitting;
  state: CallState;
  room: RoomState;
  words: CallWords;
}

export function InCall({ sitting, state, room, words }: Props) {
  const [layout, setLayout] = useState<Layout>("grid");
  const [panel, setPanel] = useState<Panel>();
  const { screens, large, rest } = arrange(state, layout);
  const hand = (session: string) => {
    const place = state.hands.indexOf(session);
    return place < 0 ? undefined : place + 1;
  };
  const isApart = screens.length > 0 || large !== undefined;
  return (
    <>
      <div className="call-middle">
        <div
          className={`call-tiles ${isApart ? "apart" : ""}`}
          data-testid="tiles"
          data-layout={isApart ? "speaker" : "grid"}
        >
          {isApart && (
            <div className="call-large">
              {screens.map((participant) => (
                <ScreenTile key={participant.session} participant={participant} words={words} />
              ))}
              {large && (
                <Tile key={large.session} participant={large} words={words} hand={hand(large.session)} isLarge />
              )}
            </div>
          )}
          <Grid count={rest.length} isStrip={isApart}>
            {rest.map((participant) => (
              <Tile
                key={participant.session}
                participant={participant}
                words={words}
                hand={hand(participant.session)}
              />
            ))}
          </Grid>
        </div>
        {panel === "people" && (
          <CallPeople sitting={sitting} state={state} room={room} words={words} onClose={() => setPanel(undefined)} />
        )}
        {panel === "devices" && (
          <aside className="call-panel" aria-label={words.devices}>
            <Devices sitting={sitting} media={state.media} words={words} />
          </aside>
        )}
      </div>
      <Notes state={state} words={words} />
      <DeviceProblems media={state.media} words={words} />
      <Controls
        sitting={sitting}
        state={state}
        room={room}
        words={words}
        layout={layout}
        onLayout={setLayout}
        panel={panel}
        onPanel={setPanel}
      />
    </>
  );
}

interface GridProps {
  count: number;
  isStrip: boolean;
  children: React.ReactNode;
}

/** Tiles as large as they can all be. */
function Grid({ count, isStrip, children }: GridProps) {
  const ref = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 16, height: 9 });
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  const columns = columnsOf(count, size.width, size.height);
  const style = { "--columns": columns, "--rows": Math.ceil(count / columns) } as CSSProperties;
  return (
    <div ref={ref} className={isStrip ? "call-strip" : "call-grid"} style={style}>
      {children}
    </div>
  );
}

/** What everybody should know now. */
function Notes({ state, words }: { state: CallState; words: CallWords }) {
  const nameOf = useProfiles();
  const { call, participants, isOnline, media, locked } = state;
  const ringing = call?.ringing ?? [];
  const notes = [
    isOnline ? undefined : words.offline,
    ringing.length > 0 ? words.ringing(listOf(ringing.map((user) => plain(nameOf(user).name)))) : undefined,
    ringing.length === 0 && participants.length === 1 ? `${words.waitingForOthers} ${words.shareLink}` : undefined,
    media.screen ? words.yourScreen : undefined,
    locked.includes("microphone") ? words.locked : undefined,
  ].filter((note) => note !== undefined);
  return (
    <div className="call-notes" role="status" data-testid="call-notes">
      {notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
    </div>
  );
}
