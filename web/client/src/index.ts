// The client of Stoa. `connect()` gives a `Client`; `client.room(id).open()` a room that stays true over every
// reconnect: each event once, in order, and what the user sent arrives or says why not.
export { backoff } from "./backoff.ts";
export type { Port, PortHandler } from "./channels.ts";
export { Client, connect } from "./client.ts";
export type { Clock } from "./clock.ts";
export { NoToken, StoaError } from "./errors.ts";
export { forgetReplicas, unsavedReplicas } from "./forget.ts";
export type { Refusal, Socket, SocketClass, TokenProvider, TokenReason } from "./link.ts";
export type { ClientEvents, ClientState, ConnectOptions, Once, OwnState, Query, Ring } from "./options.ts";
export type { Durable, EntryStatus } from "./outbox.ts";
export type * from "./protocol.ts";
export { Room } from "./room.ts";
export type { Store } from "./shelf.ts";
export { Thread, type ThreadEvents, type ThreadState } from "./thread.ts";
export type { PendingMessage, RoomEvents, RoomState, SendOptions, ShownMessage } from "./view.ts";
