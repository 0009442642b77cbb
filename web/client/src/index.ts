// The client of Stoa. `connect()` gives a `Client`; `client.room(id).open()` a room that stays true over every
// reconnect: each event once, in order, and what the user sent arrives or says why not.
export { backoff } from "./backoff.ts";
export {
  Client,
  type ClientEvents,
  type ClientState,
  type ConnectOptions,
  connect,
  type OwnState,
  type Query,
} from "./client.ts";
export type { Clock } from "./clock.ts";
export { NoToken, StoaError } from "./errors.ts";
export type { Refusal, Socket, SocketClass, TokenProvider, TokenReason } from "./link.ts";
export type { Durable, EntryStatus, Store } from "./outbox.ts";
export type * from "./protocol.ts";
export {
  type PendingMessage,
  Room,
  type RoomEvents,
  type RoomState,
  type SendOptions,
  type ShownMessage,
} from "./room.ts";
