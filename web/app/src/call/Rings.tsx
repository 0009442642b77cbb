// Who calls: seen, heard and told by the browser, on every device until one of them answers.
import "./call.css";
import type { Ring } from "@stoa/client";
import { useEffect } from "react";
import { Avatar } from "../Avatar.tsx";
import { useClient, useProfiles, useRooms } from "../hooks.ts";
import { canNotify } from "../notify.ts";
import { go } from "../place.ts";
import { currentSettings } from "../settings.ts";
import { Name, plain } from "../text.tsx";
import { say } from "../told.ts";
import { answer } from "./desk.ts";
import { CameraIcon, HangUpIcon, PhoneIcon } from "./icons.tsx";
import { intend } from "./intent.ts";
import { callWords, useCallWords } from "./words.ts";

export default function Rings({ rings }: { rings: readonly Ring[] }) {
  useTone();
  return (
    <div className="rings">
      {rings.map((ring) => (
        <Card key={`${ring.room}/${ring.call}`} ring={ring} />
      ))}
    </div>
  );
}

function Card({ ring }: { ring: Ring }) {
  const words = useCallWords();
  const client = useClient();
  const nameOf = useProfiles();
  const rooms = useRooms();
  const { room, call, from, media } = ring;
  const profile = nameOf(from);
  const entry = rooms.find(({ info }) => info.room === room);
  const title = words.calls(plain(profile.name));
  useNotice(ring, title);

  const pickUp = async (camera: boolean) => {
    intend(camera ? "video" : "audio");
    const answered = answer(client, room, call, { microphone: true, camera });
    go({ room, view: "call" });
    if (!(await answered)) say(callWords().goneAlready);
  };
  const decline = () => void client.ask({ type: "call.decline", room, key: keyOf(), call }).catch(() => {});
  return (
    // It lies over the page, and takes no focus from who is writing.
    <div className="ring" role="dialog" aria-label={title} data-testid="ring">
      <Avatar id={from ?? room} profile={profile} size="large" />
      <p role="alert">
        <strong>
          <Name name={title} />
        </strong>
        {entry && entry.peer === undefined && (
          <span className="muted">
            <Name name={words.callsIn(plain(entry.info.title || room))} />
          </span>
        )}
      </p>
      <div className="ring-actions">
        <button type="button" className="hang-up" onClick={decline}>
          <HangUpIcon />
          <span>{words.decline}</span>
        </button>
        <button type="button" className="pick-up" onClick={() => void pickUp(false)}>
          <PhoneIcon />
          <span>{words.accept}</span>
        </button>
        {media === "video" && (
          <button type="button" className="pick-up" onClick={() => void pickUp(true)}>
            <CameraIcon />
            <span>{words.acceptVideo}</span>
          </button>
        )}
      </div>
    </div>
  );
}

function keyOf(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const EVERY_MS = 2_800;

/** Rings for as long as it is there. It is made here: a file would have to be fetched at the moment it is wanted. */
function useTone(): void {
  useEffect(() => {
    let audio: AudioContext | undefined;
    try {
      audio = new AudioContext();
    } catch {
      // A device without sound.
      return;
    }
    const context = audio;
    const ring = () => {
      for (const [pitch, from] of [
        [587, 0],
        [740, 0.18],
        [587, 0.36],
        [740, 0.54],
      ] as const) {
        const tone = context.createOscillator();
        const volume = context.createGain();
        const begin = context.currentTime + from;
        tone.type = "triangle";
        tone.frequency.value = pitch;
        volume.gain.setValueAtTime(0, begin);
        volume.gain.linearRampToValueAtTime(0.12, begin + 0.02);
        volume.gain.exponentialRampToValueAtTime(0.0001, begin + 0.26);
        tone.connect(volume).connect(context.destination);
        tone.start(begin);
        tone.stop(begin + 0.28);
      }
    };
    ring();
    const handle = setInterval(ring, EVERY_MS);
    return () => {
      clearInterval(handle);
      void context.close();
    };
  }, []);
}

/** Told by the browser to who does not look; taken back when it is answered anywhere. */
function useNotice({ room, call }: Ring, title: string): void {
  useEffect(() => {
    if (document.visibilityState === "visible" || !currentSettings().notify) return;
    if (!canNotify || Notification.permission !== "granted") return;
    let note: Notification | undefined;
    try {
      note = new Notification(title, { tag: `stoa:call:${room}:${call}`, requireInteraction: true });
      note.onclick = () => {
        note?.close();
        window.focus();
      };
    } catch {
      // Browsers of phones have the class and refuse to make one.
    }
    return () => note?.close();
  }, [room, call, title]);
}
