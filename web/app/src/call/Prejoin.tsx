import type { Room, RoomState } from "@stoa/client";
import type { CallState } from "@stoa/client/call";
import { useEffect, useState } from "react";
import { Avatar } from "../Avatar.tsx";
import { Toggle } from "../dialogs/parts.tsx";
import { useClientState, useProfiles } from "../hooks.ts";
import { MutedIcon } from "../icons.tsx";
import { plain } from "../text.tsx";
import { listOf } from "../words/index.ts";
import { Check } from "./Check.tsx";
import { DeviceProblems, Devices, Level } from "./Devices.tsx";
import { History } from "./History.tsx";
import { CameraIcon, CameraOffIcon, MicIcon } from "./icons.tsx";
import { Picture } from "./Picture.tsx";
import type { Sitting } from "./sitting.ts";
import type { CallWords } from "./words.ts";

interface Props {
  sitting: Sitting;
  state: CallState;
  room: RoomState;
  words: CallWords;
  /** Whether the camera is to be on. */
  hasCamera: boolean;
}

/** Before the call: how one looks and sounds, with which devices, and who is there. */
export function Prejoin({ sitting, state, room, words, hasCamera }: Props) {
  const { media } = state;
  const [isOpening, setOpening] = useState(true);
  const [isRinging, setRinging] = useState(false);
  const [hasLobby, setLobby] = useState(false);
  const may = whyNot(room, words);
  const isDirect = room.info?.kind === "direct";
  const isHost = room.access?.capabilities.includes("moderate") ?? false;
  const isIdle = state.call === undefined;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the devices are opened once, when one comes to call
  useEffect(() => {
    let isGone = false;
    const opening = hasCamera ? sitting.media.open() : sitting.media.setMicrophone(true);
    void opening.finally(() => !isGone && setOpening(false));
    return () => {
      isGone = true;
    };
  }, [sitting]);

  const join = () =>
    void sitting.join({
      media: media.camera ? "video" : "audio",
      ...(isIdle && isRinging && !isDirect ? { ring_all: true } : {}),
      ...(isIdle && hasLobby && isHost ? { lobby: true } : {}),
    });
  return (
    <div className="prejoin">
      <div className="prejoin-columns">
        <div className="prejoin-preview">
          <Preview sitting={sitting} state={state} words={words} isOpening={isOpening} />
          <DeviceProblems media={media} words={words} />
        </div>
        <div className="prejoin-side">
          <h2>{words.ready}</h2>
          <WhoIsIn room={sitting.room} state={state} words={words} isHost={isHost} />
          {isIdle && !isDirect && may === undefined && (
            <div className="prejoin-options">
              <Toggle label={words.ringOthers} hint={words.ringOthersHint} isOn={isRinging} onChange={setRinging} />
              {isHost && (
                <Toggle label={words.withLobby} hint={words.withLobbyHint} isOn={hasLobby} onChange={setLobby} />
              )}
            </div>
          )}
          {may !== undefined ? (
            <p className="problem">{may}</p>
          ) : (
            <button type="button" className="button primary wide" onClick={join} data-testid="join">
              {isIdle ? words.start : words.join}
            </button>
          )}
          <Devices sitting={sitting} media={media} words={words} />
          <Check words={words} />
        </div>
      </div>
      <History room={sitting.room} running={state.call?.call} words={words} />
    </div>
  );
}

function whyNot({ phase, info, access }: RoomState, words: CallWords): string | undefined {
  if (phase !== "open") return words.opening;
  if (!("RTCPeerConnection" in globalThis)) return words.unsupported;
  if (info?.archived) return words.archived;
  return access?.capabilities.includes("call") ? undefined : words.noCalls;
}

function Preview({ sitting, state, words, isOpening }: Omit<Props, "room" | "hasCamera"> & { isOpening: boolean }) {
  const { media } = state;
  const { user } = useClientState();
  const nameOf = useProfiles();
  const camera = media.tracks.get("camera");
  return (
    <div className="preview">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields */}
      <div className="tile" role="group" aria-label={words.preview}>
        {user !== undefined && <Avatar id={user} profile={nameOf(user)} size="large" />}
        {camera ? (
          <Picture track={camera} isMirrored />
        ) : (
          <p className="tile-trouble">{isOpening ? words.cameraOpens : words.cameraIsOff}</p>
        )}
        <div className="preview-controls">
          <RoundButton
            label={media.microphone ? words.mute : words.unmute}
            isOff={!media.microphone}
            onPress={() => void sitting.media.setMicrophone(!media.microphone)}
          >
            {media.microphone ? <MicIcon /> : <MutedIcon />}
          </RoundButton>
          <RoundButton
            label={media.camera ? words.cameraOff : words.cameraOn}
            isOff={!media.camera}
            onPress={() => void sitting.media.setCamera(!media.camera)}
          >
            {media.camera ? <CameraIcon /> : <CameraOffIcon />}
          </RoundButton>
        </div>
      </div>
      <Level track={media.microphone ? media.tracks.get("microphone") : undefined} words={words} />
    </div>
  );
}

interface RoundProps {
  label: string;
  tip?: string;
  isOff?: boolean;
  isOn?: boolean;
  isDisabled?: boolean;
  className?: string;
  onPress: () => void;
  children: React.ReactNode;
}

/** A control of the call: its name, and by which key it is had. */
export function RoundButton({ label, tip, isOff, isOn, isDisabled, className, onPress, children }: RoundProps) {
  return (
    <button
      type="button"
      className={`round ${isOff ? "off" : ""} ${isOn ? "on" : ""} ${className ?? ""}`}
      title={tip ?? label}
      aria-label={label}
      disabled={isDisabled}
      onClick={onPress}
    >
      {children}
    </button>
  );
}

interface WhoProps {
  room: Room;
  state: CallState;
  words: CallWords;
  isHost: boolean;
}

function WhoIsIn({ room, state, words, isHost }: WhoProps) {
  const nameOf = useProfiles();
  const me = room.client.state.user;
  const { call, participants } = state;
  const users = [...new Set(participants.map(({ user }) => user))];
  const wasIn = users.includes(me ?? "");
  return (
    <p className="muted" role="status">
      {users.length === 0
        ? words.alone
        : words.inIt(listOf(users.map((user) => plain(nameOf(user).name))), users.length)}
      {call?.lobby && !isHost && !wasIn && ` ${words.knockFirst}`}
      {call?.locked && !call.lobby && !isHost && ` ${words.isLocked}`}
    </p>
  );
}
