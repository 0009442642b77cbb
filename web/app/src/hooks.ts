// The client as React sees it: everything that the client tells is an external store.
import type { Client, ClientState, Profile, Room, RoomEntry, RoomState } from "@stoa/client";
import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from "react";

export const ClientContext = createContext<Client | undefined>(undefined);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("there is no client above this component");
  return client;
}

export function useClientState(): ClientState {
  const client = useClient();
  const listen = useCallback((told: () => void) => client.on("change", told), [client]);
  return useSyncExternalStore(listen, () => client.state);
}

export function useRooms(): readonly RoomEntry[] {
  const client = useClient();
  const listen = useCallback((told: () => void) => client.on("rooms", told), [client]);
  return useSyncExternalStore(listen, () => client.rooms);
}

/** Names and pictures by user; a function, so that the unknown ones are asked for. */
export function useProfiles(): (user: string | undefined) => Profile {
  const client = useClient();
  const listen = useCallback((told: () => void) => client.on("profiles", told), [client]);
  const profiles = useSyncExternalStore(listen, () => client.profiles);
  return useCallback(
    (user) => {
      if (user === undefined) return { name: "" };
      return profiles.get(user) ?? client.profile(user) ?? { name: user };
    },
    [client, profiles],
  );
}

export function useRoomState(room: Room): RoomState {
  const listen = useCallback((told: () => void) => room.on("change", told), [room]);
  return useSyncExternalStore(listen, () => room.state);
}

/** Rooms that stay attached after one has left them, so that coming back is instant and presence stays true. */
const ATTACHED = 8;
const recent = new WeakMap<Client, Room[]>();

/** A room that is open while it is shown, and some time longer. */
export function useOpenRoom(id: string): Room {
  const client = useClient();
  const room = client.room(id);
  useEffect(() => {
    const others = (recent.get(client) ?? []).filter((other) => other !== room);
    const rooms = [room, ...others];
    for (const old of rooms.slice(ATTACHED)) if (!held.has(old) && !kept.has(old)) old.close();
    recent.set(client, rooms.slice(0, ATTACHED));
    void room.open();
  }, [client, room]);
  return room;
}

/** Direct rooms that are held open for the presence of the other one. */
const HELD = 12;
const held = new Set<Room>();
/** Rooms that stay open whatever is shown, and how often that was asked for. */
const kept = new Map<Room, number>();

/** Whether a call runs in a room of the list: an open room knows it first, of others the row tells. */
export function useCallRuns({ info: { room: id }, call = false }: RoomEntry): boolean {
  const client = useClient();
  const isOpen = [...held, ...kept.keys(), ...(recent.get(client) ?? [])].some((room) => room.id === id);
  const room = isOpen ? client.room(id) : undefined;
  const listen = useCallback((told: () => void) => room?.on("change", told) ?? (() => {}), [room]);
  return useSyncExternalStore(listen, () => (room?.state.phase === "open" ? room.state.call !== undefined : call));
}

/** Keeps a room open, for a call, until the answer is called. */
export function holdRoom(room: Room): () => void {
  kept.set(room, (kept.get(room) ?? 0) + 1);
  return () => {
    const left = (kept.get(room) ?? 1) - 1;
    if (left > 0) kept.set(room, left);
    else kept.delete(room);
  };
}

/** The state of a room that is held open, unless enough others are. */
export function useHeldRoom(id: string): RoomState {
  const room = useClient().room(id);
  useEffect(() => {
    if (held.size >= HELD) return;
    held.add(room);
    void room.open().catch(() => {});
    return () => {
      held.delete(room);
    };
  }, [room]);
  return useRoomState(room);
}

export function useMedia(query: string): boolean {
  const listen = useCallback(
    (told: () => void) => {
      const media = matchMedia(query);
      media.addEventListener("change", told);
      return () => media.removeEventListener("change", told);
    },
    [query],
  );
  return useSyncExternalStore(listen, () => matchMedia(query).matches);
}

/** Whether the page is looked at. */
export function useIsVisible(): boolean {
  const listen = useCallback((told: () => void) => {
    document.addEventListener("visibilitychange", told);
    return () => document.removeEventListener("visibilitychange", told);
  }, []);
  return useSyncExternalStore(listen, () => document.visibilityState === "visible");
}

/** The time, told anew every so often. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const handle = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(handle);
  }, [everyMs]);
  return now;
}
