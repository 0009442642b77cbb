// The call that goes on: its sound always, and its picture in a corner while one looks at something else.
import "./call.css";
import type { CallParticipant, CallState } from "@stoa/client/call";
import { useEffect, useRef, useState } from "react";
import { useClientState, useProfiles } from "../hooks.ts";
import { MutedIcon } from "../icons.tsx";
import { go, usePlace } from "../place.ts";
import { plain } from "../text.tsx";
import { say } from "../told.ts";
import { overText } from "./CallStage.tsx";
import { useWakeLock } from "./Controls.tsx";
import { rise } from "./desk.ts";
import { HangUpIcon, MicIcon } from "./icons.tsx";
import { does, useShortcuts } from "./keys.ts";
import { RoundButton } from "./Prejoin.tsx";
import type { Sitting } from "./sitting.ts";
import { useCallState } from "./state.ts";
import { Tile } from "./Tile.tsx";
import { type CallWords, useCallWords } from "./words.ts";

export default function Dock({ sitting }: { sitting: Sitting }) {
  const words = useCallWords();
  const state = useCallState(sitting.call);
  const place = usePlace();
  const isShown = place.room === sitting.room.id && place.view === "call";
  const isIn = state.phase === "in";
  useTold(sitting, words);
  useWakeLock(isIn);

  // Nobody looks at the call when it ends: it is said in passing.
  const { phase, over } = state;
  useEffect(() => {
    if (phase !== "out" || over === undefined || isShown) return;
    if (over !== "left") say(overText(over, words));
    rise(sitting);
  }, [phase, over, isShown, sitting, words]);

  return (
    <>
      <Sounds state={state} words={words} />
      {isIn && !isShown && <Mini sitting={sitting} state={state} words={words} />}
    </>
  );
}

/** Everybody's voice, whatever is shown of them. */
function Sounds({ state, words }: { state: CallState; words: CallWords }) {
  const [silent, setSilent] = useState(0);
  const ref = useRef<HTMLDivElement>(null);
  const tracks = state.phase === "in" ? state.participants.flatMap(soundsOf) : [];
  const unlock = () => {
    setSilent(0);
    for (const audio of ref.current?.querySelectorAll("audio") ?? []) {
      audio.play().catch((error: unknown) => isRefusal(error) && setSilent((count) => count + 1));
    }
  };
  return (
    <>
      <div ref={ref} hidden>
        {tracks.map((track) => (
          <Sound
            key={track.id}
            track={track}
            speaker={state.media.speakerId}
            onRefused={() => setSilent((count) => count + 1)}
          />
        ))}
      </div>
      {silent > 0 && tracks.length > 0 && (
        <button type="button" className="button primary call-unlock" onClick={unlock} data-testid="call-unlock">
          {words.toHear}
        </button>
      )}
    </>
  );
}

function soundsOf({ isMe, tracks }: CallParticipant): MediaStreamTrack[] {
  if (isMe) return [];
  return (["microphone", "screen_audio"] as const).flatMap((source) => tracks.get(source)?.media ?? []);
}

/** Whether a page has to be touched before it may sound. */
function isRefusal(error: unknown): boolean {
  return (error as { name?: string }).name === "NotAllowedError";
}

interface SoundProps {
  track: MediaStreamTrack;
  speaker: string | undefined;
  /** The browser wants a click before it plays. */
  onRefused: () => void;
}

function Sound({ track, speaker, onRefused }: SoundProps) {
  const ref = useRef<HTMLAudioElement>(null);
  const refused = useRef(onRefused);
  refused.current = onRefused;
  useEffect(() => {
    const audio = ref.current;
    if (!audio) return;
    audio.srcObject = new MediaStream([track]);
    audio.play().catch((error: unknown) => isRefusal(error) && refused.current());
    return () => {
      audio.srcObject = null;
    };
  }, [track]);
  useEffect(() => {
    if (speaker !== undefined) void ref.current?.setSinkId?.(speaker).catch(() => {});
  }, [speaker]);
  // biome-ignore lint/a11y/useMediaCaption: a voice that is spoken now
  return <audio ref={ref} autoPlay />;
}

/** The call in a corner. */
function Mini({ sitting, state, words }: { sitting: Sitting; state: CallState; words: CallWords }) {
  useShortcuts(sitting);
  const { participants, speaker, media, locked } = state;
  const others = participants.filter(({ isMe }) => !isMe);
  const sharing = others.find(({ tracks }) => tracks.get("screen")?.media);
  const shown = sharing ?? others.find(({ session }) => session === speaker) ?? others[0] ?? participants[0];
  const back = () => go({ room: sitting.room.id, view: "call" });
  return (
    <aside className="call-dock" aria-label={words.mini} data-testid="call-dock">
      <button type="button" className="call-dock-picture" onClick={back} title={words.back} aria-label={words.back}>
        {shown && <Tile participant={shown} words={words} hand={undefined} />}
      </button>
      <div className="call-dock-controls">
        <RoundButton
          label={media.microphone ? words.mute : words.unmute}
          isOff={!media.microphone}
          isDisabled={locked.includes("microphone")}
          onPress={() => does.mute(sitting)}
        >
          {media.microphone ? <MicIcon /> : <MutedIcon />}
        </RoundButton>
        <button type="button" className="button small" onClick={back}>
          {words.back}
        </button>
        <RoundButton label={words.leave} className="danger" onPress={() => void sitting.call.leave().catch(() => {})}>
          <HangUpIcon />
        </RoundButton>
      </div>
    </aside>
  );
}

/** What happens in the call, said in passing: also to those who do not see it. */
function useTold({ call, room }: Sitting, words: CallWords): void {
  const nameOf = useProfiles();
  const { user: me } = useClientState();
  const newest = useRef({ nameOf, words });
  newest.current = { nameOf, words };
  useEffect(
    () =>
      call.on("muted", ({ source }) => {
        const { muteTold } = newest.current.words;
        say(source === "screen_audio" ? muteTold.screen : muteTold[source]);
      }),
    [call],
  );
  useEffect(
    () =>
      room.on("event", (event) => {
        if (call.state.phase !== "in" || !("user" in event) || event.user === me) return;
        const { nameOf, words } = newest.current;
        const name = plain(nameOf(event.user).name);
        const isHost = room.state.access?.capabilities.includes("moderate");
        if (event.type === "call.knocked" && isHost) say(words.knocks(name));
        else if (event.type === "call.joined") say(words.cameIn(name));
        else if (event.type === "call.left" && event.reason !== "replaced") say(words.wentOut(name));
        // In a direct room the call is over with it, and that is said.
        else if (event.type === "call.declined" && room.state.info?.kind !== "direct") {
          say(words.didNotCome[event.reason](name));
        }
      }),
    [call, room, me],
  );
}
