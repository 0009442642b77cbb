import type { RoomState } from "@stoa/client";
import type { CallState } from "@stoa/client/call";
import { useEffect, useState } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { Ask, Sheet } from "../dialogs/parts.tsx";
import { ChevronIcon, GearIcon, MutedIcon, PeopleIcon } from "../icons.tsx";
import { go } from "../place.ts";
import {
  CameraIcon,
  CameraOffIcon,
  ChatIcon,
  GridIcon,
  HandIcon,
  HangUpIcon,
  MicIcon,
  PictureIcon,
  ScreenIcon,
  SpeakerIcon,
} from "./icons.tsx";
import { does, useShortcuts } from "./keys.ts";
import type { Layout } from "./layout.ts";
import { RoundButton } from "./Prejoin.tsx";
import type { Sitting } from "./sitting.ts";
import type { CallWords } from "./words.ts";

export type Panel = "people" | "devices" | undefined;

interface Props {
  sitting: Sitting;
  state: CallState;
  room: RoomState;
  words: CallWords;
  layout: Layout;
  onLayout: (layout: Layout) => void;
  panel: Panel;
  onPanel: (panel: Panel) => void;
}

const canShare = typeof navigator.mediaDevices?.getDisplayMedia === "function";

/** What one can do in a call, as buttons. */
export function Controls({ sitting, state, room, words, layout, onLayout, panel, onPanel }: Props) {
  const [isAsking, setAsking] = useState(false);
  const { media, locked, participants, hands, call } = state;
  const me = participants.find(({ isMe }) => isMe);
  const isHandUp = me !== undefined && hands.includes(me.session);
  const waiting = call?.waiting?.length ?? 0;
  const isHost = room.access?.capabilities.includes("moderate") ?? false;
  // In a direct room the first to leave ends it for both anyway.
  const mayEnd = room.info?.kind !== "direct" && (isHost || call?.started_by === me?.user);
  const tip = (text: string, key: string) => `${text} (${words.keys(key)})`;
  useShortcuts(sitting);

  const mic = media.microphone ? words.mute : words.unmute;
  const camera = media.camera ? words.cameraOff : words.cameraOn;
  const share = media.screen ? words.stopShare : words.share;
  const hand = isHandUp ? words.lower : words.raise;
  const other: Layout = layout === "grid" ? "speaker" : "grid";
  return (
    <div className="call-controls" role="toolbar" aria-label={words.title} data-testid="call-controls">
      <RoundButton
        label={mic}
        tip={locked.includes("microphone") ? words.locked : tip(mic, "M")}
        isOff={!media.microphone}
        isDisabled={locked.includes("microphone")}
        onPress={() => does.mute(sitting)}
      >
        {media.microphone ? <MicIcon /> : <MutedIcon />}
      </RoundButton>
      <RoundButton
        label={camera}
        tip={tip(camera, "V")}
        isOff={!media.camera}
        isDisabled={locked.includes("camera")}
        onPress={() => does.camera(sitting)}
      >
        {media.camera ? <CameraIcon /> : <CameraOffIcon />}
      </RoundButton>
      {canShare && (
        <RoundButton
          label={share}
          tip={tip(share, "S")}
          isOn={media.screen}
          isDisabled={locked.includes("screen")}
          onPress={() => does.share(sitting)}
        >
          <ScreenIcon />
        </RoundButton>
      )}
      <RoundButton label={hand} tip={tip(hand, "H")} isOn={isHandUp} onPress={() => does.hand(sitting)}>
        <HandIcon />
      </RoundButton>
      <span className="call-gap" />
      <RoundButton label={words.layout[other]} className="second" onPress={() => onLayout(other)}>
        {other === "grid" ? <GridIcon /> : <SpeakerIcon />}
      </RoundButton>
      {document.pictureInPictureEnabled && (
        <RoundButton label={words.pip} className="second" onPress={() => void pictureInPicture()}>
          <PictureIcon />
        </RoundButton>
      )}
      <RoundButton
        label={words.devices}
        className="second"
        isOn={panel === "devices"}
        onPress={() => onPanel(panel === "devices" ? undefined : "devices")}
      >
        <GearIcon />
      </RoundButton>
      <RoundButton
        label={words.people}
        isOn={panel === "people"}
        onPress={() => onPanel(panel === "people" ? undefined : "people")}
      >
        <PeopleIcon />
        <span className="round-count" aria-hidden="true">
          {participants.length}
        </span>
        {isHost && waiting > 0 && <span className="round-dot" />}
      </RoundButton>
      <RoundButton label={words.chat} className="only-small" onPress={() => go({ room: sitting.room.id })}>
        <ChatIcon />
      </RoundButton>
      <span className="call-gap" />
      <button
        type="button"
        className="hang-up"
        onClick={() => void sitting.call.leave().catch(() => {})}
        title={words.leave}
      >
        <HangUpIcon />
        <span>{words.leave}</span>
      </button>
      {mayEnd && (
        <MenuTrigger>
          <Button className="round danger end-more" aria-label={words.more}>
            <ChevronIcon />
          </Button>
          <Popover className="menu" placement="top end">
            <Menu>
              <MenuItem className="menu-item danger" onAction={() => setAsking(true)}>
                {words.end}
              </MenuItem>
            </Menu>
          </Popover>
        </MenuTrigger>
      )}
      {isAsking && (
        <Sheet title={words.end} onClose={() => setAsking(false)}>
          <Ask
            text={words.endAsk}
            action={words.end}
            isBusy={false}
            onNo={() => setAsking(false)}
            onYes={() => {
              setAsking(false);
              void sitting.call.end().catch(() => {});
            }}
          />
        </Sheet>
      )}
    </div>
  );
}

/** The largest picture of somebody else, above all windows; a second press takes it back. */
async function pictureInPicture(): Promise<void> {
  if (document.pictureInPictureElement) return document.exitPictureInPicture().catch(() => {});
  const videos = [...document.querySelectorAll<HTMLVideoElement>(".call-tiles video:not(.mirrored)")];
  const size = (video: HTMLVideoElement) => video.clientWidth * video.clientHeight;
  videos.sort((a, b) => size(b) - size(a));
  await videos[0]?.requestPictureInPicture().catch(() => {});
}

/** Keeps the screen of a phone from going dark while the call lasts. */
export function useWakeLock(isOn: boolean): void {
  useEffect(() => {
    if (!isOn || !("wakeLock" in navigator)) return;
    let lock: WakeLockSentinel | undefined;
    let isGone = false;
    const take = () => {
      if (document.visibilityState !== "visible") return;
      navigator.wakeLock.request("screen").then(
        (taken) => {
          if (isGone) void taken.release();
          else lock = taken;
        },
        () => {},
      );
    };
    take();
    document.addEventListener("visibilitychange", take);
    return () => {
      isGone = true;
      document.removeEventListener("visibilitychange", take);
      void lock?.release();
    };
  }, [isOn]);
}
