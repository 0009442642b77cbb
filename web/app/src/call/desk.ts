// The one call that this tab is in or about to join. What a call needs comes with the first one; this is small.
import type { Client, RoomId } from "@stoa/client";
import { useSyncExternalStore } from "react";
import { session as tab } from "../kept.ts";
import type { Sitting } from "./sitting.ts";

/** What a reload has to know to go on. */
export interface KeptCall {
  room: RoomId;
  call: number;
  microphone: boolean;
  camera: boolean;
}

const KEPT = "stoa.call";
const listeners = new Set<() => void>();
let sitting: Sitting | undefined;
let answering: RoomId | undefined;
/** Which wish for a sitting counts: the last one. */
let wish = 0;

function tell(): void {
  for (const listener of listeners) listener();
}

function listen(told: () => void): () => void {
  listeners.add(told);
  return () => listeners.delete(told);
}

export function useSitting(): Sitting | undefined {
  return useSyncExternalStore(listen, () => sitting);
}

/** The sitting in a room, made where there is none; one in another room ends. */
export async function sit(client: Client, room: RoomId): Promise<Sitting> {
  if (sitting?.room.id === room && sitting.client === client) return sitting;
  wish += 1;
  const own = wish;
  const { Sitting } = await import("./sitting.ts");
  if (own !== wish && sitting?.room.id === room && sitting.client === client) return sitting;
  sitting?.close();
  sitting = new Sitting(client, room);
  tell();
  return sitting;
}

/** Ends a sitting, with the call where it is in one. */
export function rise(which: Sitting | undefined = sitting): void {
  wish += 1;
  if (!which) return;
  which.close();
  if (sitting !== which) return;
  sitting = undefined;
  tell();
}

/** Answers a call, or goes on with it; `false` when it is over. Meanwhile its room shows no preparations. */
export async function answer(
  client: Client,
  room: RoomId,
  call: number,
  devices: { microphone: boolean; camera: boolean },
): Promise<boolean> {
  answering = room;
  tell();
  try {
    const seat = await sit(client, room);
    const isIn = await seat.answer(call, devices);
    if (!isIn) rise(seat);
    return isIn;
  } finally {
    answering = undefined;
    tell();
  }
}

/** The room whose call is being answered. */
export function useAnswering(): RoomId | undefined {
  return useSyncExternalStore(listen, () => answering);
}

export function keep(call: KeptCall | undefined): void {
  if (call) tab.setItem(KEPT, JSON.stringify(call));
  else tab.removeItem(KEPT);
}

/** The call that this tab was in when it was loaded anew. */
export function kept(): KeptCall | undefined {
  try {
    const value = JSON.parse(tab.getItem(KEPT) ?? "null") as Partial<KeptCall> | null;
    if (typeof value?.room !== "string" || typeof value.call !== "number") return undefined;
    const { room, call, microphone = false, camera = false } = value;
    return { room, call, microphone, camera };
  } catch {
    return undefined;
  }
}

declare global {
  interface Window {
    /** For the console of whoever looks into a call that does badly: `await stoa.call.stats()`. */
    stoa?: { readonly call: Sitting["call"] | undefined };
  }
}

Object.defineProperty(globalThis, "stoa", {
  configurable: true,
  value: {
    get call() {
      return sitting?.call;
    },
  },
});
