// The client as React sees it: everything that it tells is an external store, whose snapshots stay the same objects
// until something in them changes.
import {
  type Context,
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useSyncExternalStore,
} from "react";
import type { Client } from "./client.ts";
import type { ClientEvents, ClientState } from "./options.ts";
import type { Key, Member, Presence, Profile, RoomEntry, RoomId, Seq, UserId } from "./protocol.ts";
import type { Room } from "./room.ts";
import type { PendingMessage, RoomState, SendOptions, ShownMessage } from "./view.ts";

const StoaContext: Context<Client | undefined> = createContext<Client | undefined>(undefined);

/** Gives a client to the components below. Whoever made the client closes it. */
export function StoaProvider({ client, children }: { client: Client; children?: ReactNode }): ReactElement {
  return createElement(StoaContext.Provider, { value: client }, children);
}

/** The client of the nearest `StoaProvider`; throws without one. */
export function useClient(): Client {
  const client = useContext(StoaContext);
  if (!client) throw new Error("there is no StoaProvider above this component");
  return client;
}

/** How the connection goes: `status`, `waiting`, `refusal`, `user`, ... */
export function useConnection(): ClientState {
  const client = useClient();
  const listen = useCallback((told: () => void) => client.on("change", told), [client]);
  const now = () => client.state;
  return useSyncExternalStore(listen, now, now);
}

/** The room list, the room with the newest message first. */
export function useRooms(): readonly RoomEntry[] {
  const client = useClient();
  const listen = useCallback((told: () => void) => client.on("rooms", told), [client]);
  const now = () => client.rooms;
  return useSyncExternalStore(listen, now, now);
}

/** Names and pictures; a function, so that unknown ones are asked for. A user without one is called by their id. */
export function useProfiles(): (user: UserId) => Profile {
  const client = useClient();
  const listen = useCallback((told: () => void) => client.on("profiles", told), [client]);
  const now = () => client.profiles;
  const profiles = useSyncExternalStore(listen, now, now);
  return useCallback((user) => profiles.get(user) ?? client.profile(user) ?? { name: user }, [client, profiles]);
}

/** Hears an event of the client, such as `mention`, as long as the component is there. */
export function useClientEvent<Name extends keyof ClientEvents>(
  name: Name,
  listener: (event: ClientEvents[Name]) => void,
): void {
  const client = useClient();
  const newest = useRef(listener);
  useEffect(() => {
    newest.current = listener;
  });
  useEffect(() => client.on(name, (event) => newest.current(event)), [client, name]);
}

/** How many components show a room, by the room. */
const shown = new WeakMap<Room, number>();

/** A room that is open while a component shows it, and closed when the last one is gone. */
export function useRoom(id: RoomId): Room {
  const client = useClient();
  const room = client.room(id);
  useEffect(() => {
    shown.set(room, (shown.get(room) ?? 0) + 1);
    void room.open();
    return () => {
      shown.set(room, (shown.get(room) ?? 1) - 1);
      // Another component may show it in the same moment, and in strict mode this one comes back at once.
      queueMicrotask(() => {
        if (shown.get(room) === 0) room.close();
      });
    };
  }, [room]);
  return room;
}

/** Everything about a room. It changes with every event; `useMessages`, `usePresence` and `useTyping` change less. */
export function useRoomState(room: Room): RoomState {
  const listen = useCallback((told: () => void) => room.on("change", told), [room]);
  const now = () => room.state;
  return useSyncExternalStore(listen, now, now);
}

export interface Messages {
  /** Oldest first. */
  messages: readonly ShownMessage[];
  /** The reader's own that are not in the log yet; they belong below. */
  pending: readonly PendingMessage[];
  /** Whether there are older ones. */
  more: boolean;
  loadingOlder: boolean;
  loadOlder(limit?: number): Promise<boolean>;
  send(text: string, options?: SendOptions): { key: Key; acked: Promise<Seq> };
  retry(key: Key): void;
  discard(key: Key): string | undefined;
  markRead(seq: Seq): void;
}

/** What a chat shows and does. */
export function useMessages(room: Room): Messages {
  return useSelected(room, pickMessages);
}

/** Who is a member, and who is here. */
export function usePresence(room: Room): {
  online: number;
  presence: ReadonlyMap<UserId, Presence>;
  members: readonly Member[];
  memberCount: number;
} {
  return useSelected(room, pickPresence);
}

/** Who types, without oneself, and `typing()` to be called at every key stroke. */
export function useTyping(room: Room): {
  users: readonly UserId[];
  count: number;
  typing(on?: boolean): void;
} {
  return useSelected(room, pickTyping);
}

/** Bound once per room, so that components get the same functions at every turn. */
const actions = new WeakMap<Room, ReturnType<typeof bind>>();

function bind(room: Room) {
  return {
    loadOlder: (limit?: number) => room.loadOlder(limit),
    send: (text: string, options?: SendOptions) => room.send(text, options),
    retry: (key: Key) => room.retry(key),
    discard: (key: Key) => room.discard(key),
    markRead: (seq: Seq) => room.markRead(seq),
    typing: (on?: boolean) => room.typing(on),
  };
}

function actionsOf(room: Room) {
  const known = actions.get(room) ?? bind(room);
  actions.set(room, known);
  return known;
}

function pickMessages({ messages, pending, more, loadingOlder }: RoomState, room: Room): Messages {
  const { typing: _, ...does } = actionsOf(room);
  return { messages, pending, more, loadingOlder, ...does };
}

function pickPresence({ online, presence, members, memberCount }: RoomState) {
  return { online, presence, members, memberCount };
}

function pickTyping({ typing: { users, count } }: RoomState, room: Room) {
  return { users, count, typing: actionsOf(room).typing };
}

/** A part of a room's state, the same object until something in it changes. */
function useSelected<Part extends object>(room: Room, pick: (state: RoomState, room: Room) => Part): Part {
  const last = useRef<Part | undefined>(undefined);
  const listen = useCallback((told: () => void) => room.on("change", told), [room]);
  const now = useCallback(() => {
    const next = pick(room.state, room);
    if (last.current === undefined || !isSame(last.current, next)) last.current = next;
    return last.current;
  }, [room, pick]);
  return useSyncExternalStore(listen, now, now);
}

function isSame<Part extends object>(a: Part, b: Part): boolean {
  return (Object.keys(b) as (keyof Part)[]).every((name) => {
    const [old, now] = [a[name], b[name]];
    return old === now || (Array.isArray(old) && Array.isArray(now) && old.length === 0 && now.length === 0);
  });
}
