// Mentions and direct messages, told by the browser while nobody looks.
import type { Client, RoomEntry } from "@stoa/client";
import { useEffect } from "react";
import { go } from "./place.ts";
import { currentSettings } from "./settings.ts";
import { excerpt, plain } from "./text.tsx";
import { currentWords } from "./words/index.ts";

/** Browsers without it, and frames that may not have it. */
export const canNotify = "Notification" in globalThis;

export function isDenied(): boolean {
  return canNotify && Notification.permission === "denied";
}

export async function askToNotify(): Promise<boolean> {
  if (!canNotify) return false;
  if (Notification.permission === "granted") return true;
  return (await Notification.requestPermission().catch(() => "denied")) === "granted";
}

let audio: AudioContext | undefined;

/** Two short tones. They are made here: a file would have to be fetched at the moment when it is wanted. */
export function playSound(): void {
  try {
    audio ??= new AudioContext();
    const begin = audio.currentTime;
    for (const [index, pitch] of [660, 880].entries()) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      const from = begin + index * 0.12;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(0.08, from + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.0001, from + 0.3);
      tone.connect(volume).connect(audio.destination);
      tone.start(from);
      tone.stop(from + 0.32);
    }
  } catch {
    // A device without sound, or a page that nobody has touched yet.
  }
}

/** Tells who does not look at the page, as their settings have it. */
export function tell(room: string, title: string, body: string, seq?: number): void {
  if (document.visibilityState === "visible") return;
  const { notify, sound } = currentSettings();
  if (sound) playSound();
  if (!notify || !canNotify || Notification.permission !== "granted") return;
  try {
    const note = new Notification(plain(title), { body: plain(body), tag: `stoa:${room}` });
    note.onclick = () => {
      note.close();
      window.focus();
      go({ room, seq });
    };
  } catch {
    // Browsers of phones have the class and refuse to make one.
  }
}

/** The words of a message; none when it is gone again. */
async function textOf(client: Client, room: string, seq: number): Promise<string> {
  const query = { type: "chat.history", room, around: seq, limit: 1 } as const;
  const reply = await client.query(query).catch(() => undefined);
  const message = reply?.kind === "messages" ? reply.messages.find((each) => each.seq === seq) : undefined;
  return message ? excerpt(message.text) : "";
}

/** Listens to a client for as long as the page is there. */
export function useNotifications(client: Client): void {
  useEffect(() => {
    const seen = new Map<string, number>();
    const nameOf = (user: string | undefined) =>
      (user === undefined ? undefined : client.profile(user)?.name) ?? currentWords().someone;
    const titleOf = (entry: RoomEntry) => (entry.peer ? nameOf(entry.peer) : entry.info.title || entry.info.room);
    for (const { info, head } of client.rooms) seen.set(info.room, head);
    let wasListed = client.hasRooms;
    const stops = [
      client.on("mention", async ({ room, from, message }) => {
        if (document.visibilityState === "visible") return;
        const entry = client.rooms.find((each) => each.info.room === room);
        const text = await textOf(client, room, message);
        tell(room, currentWords().mentionedYou(nameOf(from), entry ? titleOf(entry) : room), text, message);
      }),
      client.on("rooms", (rooms) => {
        for (const entry of rooms) {
          const { info, head, last, peer, unread } = entry;
          const before = seen.get(info.room);
          seen.set(info.room, head);
          if (peer === undefined || !last || unread === 0 || last.from === client.state.user) continue;
          // What was there when the page came is no news.
          if (before === undefined ? !wasListed : last.seq <= before) continue;
          tell(info.room, nameOf(last.from), excerpt(last.text), last.seq);
        }
        wasListed ||= client.hasRooms;
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [client]);
}
