// What a client takes and what it tells.
import type { Clock } from "./clock.ts";
import type { Refusal, SocketClass, TokenProvider } from "./link.ts";
import type {
  CallMedia,
  ClientFrame,
  Data,
  Name,
  PresenceState,
  Profile,
  RingEnd,
  RoomEntry,
  RoomId,
  Seq,
  SessionId,
  UserId,
} from "./protocol.ts";
import type { Store } from "./shelf.ts";

export interface ConnectOptions {
  /** Where the server is: `wss://host/v1/ws`. `http` and `https` addresses are taken as `ws` and `wss`. */
  url: string | URL;
  /** Gives a token. Asked at every connection and before the token expires. Throw `NoToken` to stop. */
  token: TokenProvider;
  /** Who the token will be for: what this user left in `store` is shown before the first connection. */
  user?: UserId;
  /**
   * Keeps commands that wait over a reload. In a browser it is the tab's `sessionStorage` when nothing is given;
   * `localStorage` keeps them over the tab's end too, and is safe with several tabs; `null` keeps nothing.
   */
  store?: Store | null;
  /** Another WebSocket than the platform's. */
  WebSocket?: SocketClass;
  /** Another clock than the system's. */
  clock?: Clock;
  /** Whether the room list is kept up to date; on by default. */
  list?: boolean;
  /** What this device is called. */
  device?: string;
  /** The program's name and version, for the operator's log. */
  client?: string;
}

/** How it goes. A new object after each change, never changed in place. */
export interface ClientState {
  /**
   * `connecting`: for the first time. `offline`: it was lost, or could not be had; it is tried again by itself.
   * `catching_up`: connected, and what was missed is on its way. `connected`: everything is here. `refused`: the
   * server will not, see `refusal`; `retry()` tries again. `closed`: by `close()`.
   */
  status: "connecting" | "offline" | "catching_up" | "connected" | "refused" | "closed";
  /** When it is tried again, by this device's clock; absent while it is being tried. */
  retryAt?: number;
  refusal?: Refusal;
  /** Commands that are not committed yet. */
  waiting: number;
  /** Whether what waits would survive a reload: there is a store, and it took them. */
  isSaved: boolean;
  user?: UserId;
  /** The session: what names this client in a call. */
  session?: SessionId;
  profile?: Profile;
  mayCreate: boolean;
  features: readonly string[];
}

/** Where something about the user happened. */
interface Told {
  room: RoomId;
  from?: UserId;
  at: number;
}

/** Somebody calls. */
export interface Ring extends Told {
  call: Seq;
  media: CallMedia;
  /** When it stops by itself, by the server's clock. */
  until: number;
}

export interface ClientEvents {
  /** Something in `state` changed. */
  change: ClientState;
  /** The room list changed. */
  rooms: readonly RoomEntry[];
  /** Names or pictures changed. */
  profiles: ReadonlyMap<UserId, Profile>;
  /** A message mentions the user. Each mention is told once, also after a time offline. */
  mention: Told & { message: Seq };
  /** The user was made a member of a room. */
  invited: Told;
  /** The user's membership was taken away. */
  removed: Told & { reason: string };
  /** The user's role was changed. */
  rights: Told & { role: string };
  /** The calls that ring now changed. */
  rings: readonly Ring[];
  /** A ring has ended, on whatever device; `busy` comes without one. `from` is who called, where that is known. */
  ringEnded: Told & { call: Seq; reason: RingEnd };
  /** An event of the host application to the user, durable or passing. */
  app: { from?: UserId; name: Name; data?: Data };
}

type Unnamed<Frame> = Frame extends unknown ? Omit<Frame, "id"> : never;
/** A question to the server: it changes nothing, or has a key, or says the whole truth; so it may be asked again. */
export type Query = Extract<
  Unnamed<ClientFrame>,
  {
    type:
      | "room.list"
      | "member.list"
      | "chat.history"
      | "chat.search"
      | "presence.list"
      | "profile.list"
      | "room.direct"
      | "doc.list"
      | "doc.versions"
      | Extract<ClientFrame["type"], `call.${string}`>;
  }
>;
/** What changes something each time that it is asked, and has no key. */
export type Once = Extract<Unnamed<ClientFrame>, { type: "doc.version.save" | "doc.version.delete" | "doc.restore" }>;

/** What a user may say of themselves; `offline` hides this device at once. */
export type OwnState = PresenceState;
