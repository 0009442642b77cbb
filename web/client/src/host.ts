import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import type { Outbox, Outcome } from "./outbox.ts";
import type { Key, RoomId, Seq, SessionId, Snapshot, UserId } from "./protocol.ts";
import type { Room } from "./room.ts";

/** What a room uses of its client. */
export interface RoomHost {
  client: Client;
  clock: Clock;
  outbox: Outbox;
  me(): UserId | undefined;
  /** The session of the connection, also of the one before while there is none. */
  session(): SessionId | undefined;
  isOpen(): boolean;
  call(frame: object, done: (outcome: Outcome) => void): void;
  tell(frame: object): boolean;
  newKey(): Key;
  learn(profiles: Snapshot["profiles"]): void;
  changed(room: Room): void;
  readUpTo(room: RoomId, seq: Seq): void;
  /** The client was closed: nothing begins any more. */
  isEnded(): boolean;
  /** The room's log began anew. */
  renewed(room: RoomId): void;
  closed(room: Room): void;
  /** The room is open on this connection, or no longer. */
  attached(room: RoomId): void;
  detached(room: RoomId): void;
}
