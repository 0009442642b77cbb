// Generated from client.schema.json and server.schema.json; do not edit. See web/scripts/generate.mjs.

/**
 * Both directions.
 */
export type Protocol = ClientFrame | ServerFrame;
/**
 * A frame of a client: a number that the reply names, and a command.
 */
export type ClientFrame = (
  | (Hello & {
      type: "hello";
    })
  | (TokenRefresh & {
      type: "token.refresh";
    })
  | (Ping & {
      type: "ping";
    })
  | (RoomCreate & {
      type: "room.create";
    })
  | (RoomDirect & {
      type: "room.direct";
    })
  | (RoomOpen & {
      type: "room.open";
    })
  | (RoomClose & {
      type: "room.close";
    })
  | (RoomList & {
      type: "room.list";
    })
  | (RoomUpdate & {
      type: "room.update";
    })
  | (RoomArchive & {
      type: "room.archive";
    })
  | (RoomLeave & {
      type: "room.leave";
    })
  | (MemberAdd & {
      type: "member.add";
    })
  | (MemberUpdate & {
      type: "member.update";
    })
  | (MemberRemove & {
      type: "member.remove";
    })
  | (MemberBan & {
      type: "member.ban";
    })
  | (MemberUnban & {
      type: "member.unban";
    })
  | (MemberList & {
      type: "member.list";
    })
  | (ChatSend & {
      type: "chat.send";
    })
  | (ChatEdit & {
      type: "chat.edit";
    })
  | (ChatDelete & {
      type: "chat.delete";
    })
  | (ChatReact & {
      type: "chat.react";
    })
  | (ChatPin & {
      type: "chat.pin";
    })
  | (ChatRead & {
      type: "chat.read";
    })
  | (ChatHistory & {
      type: "chat.history";
    })
  | (ChatSearch & {
      type: "chat.search";
    })
  | (Typing & {
      type: "typing";
    })
  | (PresenceSet & {
      type: "presence.set";
    })
  | (PresenceList & {
      type: "presence.list";
    })
  | (ProfileList & {
      type: "profile.list";
    })
  | (AppSend & {
      type: "app.send";
    })
) & {
  /**
   * Names the reply; at most 2^53 - 1.
   */
  id: number;
};
export type DeviceId = string;
export type SessionId = string;
export type Epoch = string;
export type Seq = number;
/**
 * Who sees what was before them.
 */
export type HistoryVisibility = "all" | "since_join";
export type Key = string;
/**
 * What a room is for; it decides how people enter and how presence is told.
 */
export type RoomKind = "direct" | "group" | "session" | "class";
/**
 * One thing that a person may do in a room. A role stands for a set of them; a grant or a member's record may name
 * its own set.
 */
export type Capability = "send" | "react" | "pin" | "announce" | "invite" | "moderate" | "manage" | "app";
/**
 * What a person is in a room.
 */
export type Role = "viewer" | "member" | "host";
export type UserId = string;
export type RoomId = string;
/**
 * Whether somebody is there.
 */
export type PresenceState = "offline" | "away" | "busy" | "online";
export type Name = string;
/**
 * A frame of the server. Durable events are flat: see [`RoomEvent`] and [`UserEvent`].
 */
export type ServerFrame = Control | RoomEvent | UserEvent;
/**
 * Replies and events that no log keeps.
 */
export type Control =
  | (Welcome & {
      type: "welcome";
    })
  | (Ack & {
      type: "ack";
    })
  | (ErrorFrame & {
      type: "error";
    })
  | {
      /**
       * The server's time.
       */
      at: number;
      /**
       * The command's id.
       */
      id: number;
      type: "pong";
    }
  | {
      /**
       * The room.
       */
      room: RoomId;
      /**
       * The cursor now.
       */
      seq: Seq;
      type: "skip";
    }
  | (Opened & {
      type: "room.reset";
    })
  | {
      /**
       * Why: `forbidden`, `not_found`.
       */
      reason: Fault;
      /**
       * The room.
       */
      room: RoomId;
      type: "room.closed";
    }
  | {
      /**
       * The rights now.
       */
      access: AccessView;
      /**
       * The room.
       */
      room: RoomId;
      type: "room.access";
    }
  | {
      /**
       * How many in all.
       */
      count: number;
      /**
       * The room.
       */
      room: RoomId;
      type: "typing";
      /**
       * The first of them, at most 5.
       */
      users: UserId[];
    }
  | {
      /**
       * Who changed, in rooms up to 200.
       */
      changed?: Presence[];
      /**
       * How many people are in the room now.
       */
      online: number;
      /**
       * The room.
       */
      room: RoomId;
      type: "presence";
    }
  | {
      /**
       * Markers.
       */
      markers: ReadMarker[];
      /**
       * The room.
       */
      room: RoomId;
      type: "read";
    }
  | {
      /**
       * What they are now.
       */
      profile: Profile;
      type: "profile";
      /**
       * Whose.
       */
      user: UserId;
    }
  | {
      /**
       * The row now.
       */
      entry: RoomEntry;
      type: "list";
    }
  | {
      /**
       * Which room.
       */
      room: RoomId;
      type: "list.removed";
    }
  | {
      /**
       * Where the stream goes on.
       */
      cursor: Cursor;
      type: "user.reset";
    }
  | {
      /**
       * Its body.
       */
      data?: Data;
      /**
       * Who sent it.
       */
      from: UserId;
      /**
       * Its name.
       */
      name: Name;
      /**
       * The room, when it went to one.
       */
      room?: RoomId;
      type: "app.passing";
    }
  | {
      /**
       * When.
       */
      expires_at: number;
      type: "token.expiring";
    }
  | {
      /**
       * The delay, milliseconds.
       */
      reconnect_after_ms: number;
      type: "bye";
    };
/**
 * What was asked for.
 */
export type Reply =
  | {
      kind: "room";
      /**
       * Its id.
       */
      room: RoomId;
    }
  | (Opened & {
      kind: "opened";
    })
  | {
      kind: "rooms";
      /**
       * Where the next page begins.
       */
      next?: string;
      /**
       * Names of the people in the rows.
       */
      profiles?: {
        [k: string]: Profile;
      };
      /**
       * The rows.
       */
      rooms: RoomEntry[];
    }
  | {
      /**
       * How many there are.
       */
      count: number;
      kind: "members";
      /**
       * The rows.
       */
      members: Member[];
      /**
       * Whether there are more.
       */
      more: boolean;
      /**
       * Their names.
       */
      profiles?: {
        [k: string]: Profile;
      };
    }
  | {
      kind: "presences";
      /**
       * Whether there are more.
       */
      more: boolean;
      /**
       * How many are in the room.
       */
      online: number;
      /**
       * The rows.
       */
      presence: Presence[];
      /**
       * Their names.
       */
      profiles?: {
        [k: string]: Profile;
      };
    }
  | {
      kind: "messages";
      /**
       * The messages, oldest first; of a search newest first.
       */
      messages: Message[];
      /**
       * Whether there are newer ones.
       */
      more_after: boolean;
      /**
       * Whether there are older ones (of a search: more).
       */
      more_before: boolean;
      /**
       * Where a search goes on.
       */
      next?: string;
      /**
       * Names of the people in them.
       */
      profiles?: {
        [k: string]: Profile;
      };
    }
  | {
      kind: "profiles";
      /**
       * Those that are known and visible.
       */
      profiles: {
        [k: string]: Profile;
      };
    }
  | {
      /**
       * When the new one expires.
       */
      expires_at: number;
      kind: "token";
    };
/**
 * Stable codes of refusal. A client may switch on them; sentences may change.
 */
export type ErrorCode =
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "rate_limited"
  | "overloaded"
  | "unavailable"
  | "unsupported"
  | "too_large"
  | "internal";
/**
 * A durable event of a room, as every member sees it.
 */
export type RoomEvent = (
  | (RoomCreated & {
      type: "room.created";
    })
  | (RoomUpdated & {
      type: "room.updated";
    })
  | {
      /**
       * Whether it is archived now.
       */
      archived: boolean;
      type: "room.archived";
    }
  | (MemberJoined & {
      type: "member.joined";
    })
  | {
      /**
       * How.
       */
      reason: LeaveReason;
      type: "member.left";
      /**
       * Whose.
       */
      user: UserId;
    }
  | (MemberUpdated & {
      type: "member.updated";
    })
  | {
      /**
       * Why.
       */
      reason?: string;
      type: "member.banned";
      /**
       * Until when; for ever when absent.
       */
      until?: number;
      /**
       * Who.
       */
      user: UserId;
    }
  | {
      type: "member.unbanned";
      /**
       * Who.
       */
      user: UserId;
    }
  | (ChatBody & {
      type: "chat.sent";
    })
  | {
      /**
       * The new data.
       */
      data?: Data;
      /**
       * The new mentions.
       */
      mentions?: UserId[];
      /**
       * Which.
       */
      target: Seq;
      /**
       * The new words.
       */
      text: string;
      type: "chat.edited";
    }
  | {
      /**
       * Which.
       */
      target: Seq;
      /**
       * The first message of the thread that it was in, whose `replies` shrink.
       */
      thread?: Seq;
      type: "chat.deleted";
    }
  | {
      /**
       * Which emoji.
       */
      emoji: string;
      /**
       * Added, or taken back.
       */
      on: boolean;
      /**
       * On which message.
       */
      target: Seq;
      type: "chat.reacted";
    }
  | {
      /**
       * Pinned, or unpinned.
       */
      on: boolean;
      /**
       * Which.
       */
      target: Seq;
      type: "chat.pinned";
    }
  | {
      /**
       * Its body.
       */
      data?: Data;
      /**
       * Its name, `app.` first.
       */
      name: Name;
      type: "app";
    }
) & {
  /**
   * When it was committed.
   */
  at: number;
  /**
   * Who caused it; absent when the server or an erased user did.
   */
  from?: UserId;
  /**
   * The room.
   */
  room: RoomId;
  /**
   * Its place in the room's log.
   */
  seq: Seq;
};
/**
 * How a membership ended.
 */
export type LeaveReason = "left" | "removed" | "banned";
/**
 * A durable event of a user's own log.
 */
export type UserEvent = (
  | {
      /**
       * Which message.
       */
      message: Seq;
      /**
       * In which room.
       */
      room: RoomId;
      type: "user.mentioned";
    }
  | {
      /**
       * With which role.
       */
      role: Role;
      /**
       * Which room.
       */
      room: RoomId;
      type: "user.invited";
    }
  | {
      /**
       * How.
       */
      reason: LeaveReason;
      /**
       * Which room.
       */
      room: RoomId;
      type: "user.removed";
    }
  | {
      /**
       * The role now.
       */
      role: Role;
      /**
       * Which room.
       */
      room: RoomId;
      type: "user.rights";
    }
  | {
      /**
       * Its body.
       */
      data?: Data;
      /**
       * Its name, `app.` first.
       */
      name: Name;
      type: "user.app";
    }
) & {
  /**
   * When it was committed.
   */
  at: number;
  /**
   * Who caused it.
   */
  from?: UserId;
  /**
   * Its place in the user's log.
   */
  user_seq: Seq;
};

/**
 * The token and, after a lost connection, the session that goes on.
 */
export interface Hello {
  /**
   * The client's name and version, for the operator's log.
   */
  client?: string;
  /**
   * What this device is called; for the user's own eyes.
   */
  device?: DeviceId;
  /**
   * Whether changes of the room list are told.
   */
  list?: boolean;
  /**
   * The session that goes on.
   */
  session?: SessionResume;
  /**
   * The token, a JWT.
   */
  token: string;
  /**
   * Where the client is in the user's own log; without it the stream begins at its head.
   */
  user?: Cursor;
}
/**
 * A session that goes on.
 */
export interface SessionResume {
  /**
   * Its id, from `welcome`.
   */
  id: SessionId;
  /**
   * Its secret, from `welcome`.
   */
  secret: string;
}
/**
 * A place in a log, of one life of it.
 */
export interface Cursor {
  /**
   * The life.
   */
  epoch: Epoch;
  /**
   * The last event that the client has.
   */
  seq: Seq;
}
/**
 * A new token.
 */
export interface TokenRefresh {
  /**
   * The token, of the same user.
   */
  token: string;
}
/**
 * Asks for a `pong`.
 */
export interface Ping {}
/**
 * Creates a room. Creating it again under the same id and by the same user is no error when nothing differs.
 */
export interface RoomCreate {
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Who sees what was before them.
   */
  history?: HistoryVisibility;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * What it is for; not `direct`.
   */
  kind: RoomKind;
  /**
   * First members beside the creator.
   */
  members?: NewMember[];
  /**
   * Days after which messages are erased.
   */
  retention_days?: number;
  /**
   * The host application's id; one is generated without it.
   */
  room?: RoomId;
  /**
   * Seconds between two messages of a person.
   */
  slow_mode_s?: number;
  /**
   * Title.
   */
  title?: string;
  /**
   * Topic.
   */
  topic?: string;
}
export interface Data {
  [k: string]: unknown;
}
/**
 * Somebody who becomes a member.
 */
export interface NewMember {
  /**
   * Capabilities of their own in place of the role's.
   */
  capabilities?: Capability[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * With which role.
   */
  role?: Role;
  /**
   * Who.
   */
  user: UserId;
}
/**
 * The direct room with somebody.
 */
export interface RoomDirect {
  /**
   * The other one.
   */
  user: UserId;
}
/**
 * Attaches to a room.
 */
export interface RoomOpen {
  /**
   * Which.
   */
  room: RoomId;
  /**
   * What the client has; without it a snapshot is sent.
   */
  since?: Cursor;
}
/**
 * Detaches from a room.
 */
export interface RoomClose {
  /**
   * Which.
   */
  room: RoomId;
}
/**
 * The user's rooms, the one with the newest event first.
 */
export interface RoomList {
  /**
   * Continues a list: the `next` of the page before.
   */
  after?: string;
  /**
   * Whether archived rooms are wanted too.
   */
  archived?: boolean;
  /**
   * Rows, at most 200.
   */
  limit?: number;
}
/**
 * Changes a room's record; absent fields stay.
 */
export interface RoomUpdate {
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Who sees what was before them.
   */
  history?: HistoryVisibility;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Days after which messages are erased; 0 keeps them.
   */
  retention_days?: number;
  /**
   * Which.
   */
  room: RoomId;
  /**
   * Seconds between two messages of a person; 0 is off.
   */
  slow_mode_s?: number;
  /**
   * Title.
   */
  title?: string;
  /**
   * Topic.
   */
  topic?: string;
}
/**
 * Archives a room, or takes it out of the archive.
 */
export interface RoomArchive {
  /**
   * Into the archive, or out of it.
   */
  archived: boolean;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Which.
   */
  room: RoomId;
}
/**
 * Gives up one's own membership.
 */
export interface RoomLeave {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Which.
   */
  room: RoomId;
}
/**
 * Grants a membership.
 */
export interface MemberAdd {
  /**
   * Capabilities of their own in place of the role's.
   */
  capabilities?: Capability[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * With which role.
   */
  role?: Role;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Who.
   */
  user: UserId;
}
/**
 * Changes a membership; absent fields stay.
 */
export interface MemberUpdate {
  /**
   * Capabilities of their own.
   */
  capabilities?: Capability[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Until when they may not send; 0 lets them speak again.
   */
  muted_until?: number;
  /**
   * The new role; it takes capabilities of their own away.
   */
  role?: Role;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whose.
   */
  user: UserId;
}
/**
 * Takes a membership away.
 */
export interface MemberRemove {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whose.
   */
  user: UserId;
}
/**
 * Bans somebody.
 */
export interface MemberBan {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Why, for those who moderate.
   */
  reason?: string;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Until when; for ever when absent.
   */
  until?: number;
  /**
   * Whom.
   */
  user: UserId;
}
/**
 * Lifts a ban.
 */
export interface MemberUnban {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whose.
   */
  user: UserId;
}
/**
 * A page of members, by user id.
 */
export interface MemberList {
  /**
   * Continues after this user.
   */
  after?: UserId;
  /**
   * Rows, at most 200.
   */
  limit?: number;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Sends a message.
 */
export interface ChatSend {
  /**
   * Shown as an announcement; needs the capability.
   */
  announcement?: boolean;
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Whether everybody in the room is meant; needs the capability to announce.
   */
  mention_all?: boolean;
  /**
   * Users to tell, at most 50; they must be in the room.
   */
  mentions?: UserId[];
  /**
   * The message that it answers.
   */
  reply_to?: Seq;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * The words, at most 16 KiB.
   */
  text: string;
  /**
   * The first message of its thread.
   */
  thread?: Seq;
}
/**
 * Edits one's own message.
 */
export interface ChatEdit {
  /**
   * The new data; absent takes it away.
   */
  data?: Data;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * The new mentions; only the added ones are told.
   */
  mentions?: UserId[];
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Which message.
   */
  target: Seq;
  /**
   * The new words.
   */
  text: string;
}
/**
 * Deletes a message.
 */
export interface ChatDelete {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Which message.
   */
  target: Seq;
}
/**
 * Adds a reaction or takes it back.
 */
export interface ChatReact {
  /**
   * Which emoji.
   */
  emoji: string;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Added, or taken back.
   */
  on: boolean;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * On which message.
   */
  target: Seq;
}
/**
 * Pins or unpins a message.
 */
export interface ChatPin {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Pinned, or unpinned.
   */
  on: boolean;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Which message.
   */
  target: Seq;
}
/**
 * Everything up to `seq` is read. A lower number than before changes nothing.
 */
export interface ChatRead {
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Up to here.
   */
  seq: Seq;
}
/**
 * A page of messages. Without a place the newest; at most one of `before`, `after` and `around`.
 */
export interface ChatHistory {
  /**
   * Newer than this one.
   */
  after?: Seq;
  /**
   * This one in the middle.
   */
  around?: Seq;
  /**
   * Older than this one.
   */
  before?: Seq;
  /**
   * Rows, at most 200.
   */
  limit?: number;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Only the thread below this message; without it only messages outside threads.
   */
  thread?: Seq;
}
/**
 * Full-text search, newest first: all words must occur.
 */
export interface ChatSearch {
  /**
   * Continues a search: the `next` of the page before.
   */
  after?: string;
  /**
   * Only from this user.
   */
  from?: UserId;
  /**
   * Rows, at most 200.
   */
  limit?: number;
  /**
   * The words, at most 256 bytes.
   */
  query: string;
  /**
   * Only in this room; without it in all rooms of the user.
   */
  room?: RoomId;
}
/**
 * Typing. It ends by itself after some seconds and is told anew while it lasts.
 */
export interface Typing {
  /**
   * Types, or has stopped.
   */
  on: boolean;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * The user's own state on this device.
 */
export interface PresenceSet {
  /**
   * How present the user is; `offline` hides this device at once, without a grace.
   */
  state: PresenceState;
  /**
   * Their own words; absent leaves them.
   */
  text?: string;
}
/**
 * A page of who is in a room, by user id.
 */
export interface PresenceList {
  /**
   * Continues after this user.
   */
  after?: UserId;
  /**
   * Rows, at most 200.
   */
  limit?: number;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Names and pictures.
 */
export interface ProfileList {
  /**
   * Whose, at most 100.
   */
  users: UserId[];
}
/**
 * An event of the host application, to a room or to a user.
 */
export interface AppSend {
  /**
   * Its body.
   */
  data?: Data;
  /**
   * Makes it idempotent and durable; without it the event is passing.
   */
  key?: Key;
  /**
   * Its name, `app.` first.
   */
  name: Name;
  /**
   * To this room. Exactly one of `room` and `user`.
   */
  room?: RoomId;
  /**
   * To this user; needs a service grant.
   */
  user?: UserId;
}
/**
 * The reply to `hello`.
 */
export interface Welcome {
  /**
   * The server's time.
   */
  at: number;
  /**
   * Where the user's own stream begins on this connection; what was missed follows.
   */
  cursor: Cursor;
  /**
   * When the token expires.
   */
  expires_at: number;
  /**
   * What this server can do beyond the version.
   */
  features: string[];
  /**
   * Largest frame, bytes.
   */
  frame_bytes: number;
  /**
   * The command's id.
   */
  id: number;
  /**
   * The connection is closed when nothing was heard for this long; say something at half of it, milliseconds.
   */
  idle_ms: number;
  /**
   * Whether the user may create rooms.
   */
  may_create: boolean;
  /**
   * How they are shown.
   */
  profile: Profile;
  /**
   * The session's secret.
   */
  secret: string;
  /**
   * The session's id, for `hello` after a lost connection.
   */
  session: SessionId;
  /**
   * Who the token says the user is.
   */
  user: UserId;
  /**
   * The protocol's version.
   */
  version: number;
}
/**
 * How somebody is to be shown. Not in any log: a name may change and be erased.
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[^\s]+$".
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[^\s]+$".
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[^\s]+$".
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[^\s]+$".
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[^\s]+$".
 *
 * This interface was referenced by `undefined`'s JSON-Schema definition
 * via the `patternProperty` "^[^\s]+$".
 */
export interface Profile {
  /**
   * The URL of a picture.
   */
  avatar?: string;
  /**
   * Somebody without an account, who came by a join link and says themselves who they are. The server decides it.
   */
  guest?: boolean;
  /**
   * The display name.
   */
  name: string;
}
/**
 * A command was accepted.
 */
export interface Ack {
  /**
   * The command's id.
   */
  id: number;
  /**
   * What was asked for.
   */
  result?: Reply;
  /**
   * The place of its event, where it is durable. The acknowledgement does not move the cursor, the event does.
   */
  seq?: Seq;
}
/**
 * The reply to `room.open`, and what replaces a void cursor.
 */
export interface Opened {
  /**
   * The reader's rights.
   */
  access: AccessView;
  /**
   * The life of its log.
   */
  epoch: Epoch;
  /**
   * The end of the log when this was written.
   */
  head: Seq;
  /**
   * How many people are in the room now.
   */
  online?: number;
  /**
   * The places of the pinned messages.
   */
  pins?: Seq[];
  /**
   * Retained and passing state when the cursor was taken up: presence, as in a snapshot.
   */
  presence?: Presence[];
  /**
   * Read markers when the cursor was taken up.
   */
  read?: ReadMarker[];
  /**
   * Whether a cursor was named and is void; then there is a snapshot.
   */
  reset?: boolean;
  /**
   * The room.
   */
  room: RoomId;
  /**
   * Where the client's cursor is now: the snapshot's place, or the resumed one; what follows comes as events.
   */
  seq: Seq;
  /**
   * The room's state; absent when the cursor was taken up.
   */
  snapshot?: Snapshot;
}
/**
 * The reader's rights in a room.
 */
export interface AccessView {
  /**
   * What it allows, now.
   */
  capabilities: Capability[];
  /**
   * Whether the membership is logged; an audience's is not.
   */
  member: boolean;
  /**
   * Until when the reader may not send.
   */
  muted_until?: number;
  /**
   * The role.
   */
  role: Role;
  /**
   * When the grant's window ends.
   */
  until?: number;
}
/**
 * One user's presence, over all devices: the most present device counts, `busy` beats `online`.
 */
export interface Presence {
  /**
   * When they were last there; only when offline.
   */
  last_seen?: number;
  /**
   * Whether they are there.
   */
  state: PresenceState;
  /**
   * Their own words.
   */
  text?: string;
  /**
   * Who.
   */
  user: UserId;
}
/**
 * Where a reader is in a room.
 */
export interface ReadMarker {
  /**
   * Everything up to here is read.
   */
  seq: Seq;
  /**
   * Who.
   */
  user: UserId;
}
/**
 * Everything that a client needs to show a room, as of `seq`.
 */
export interface Snapshot {
  /**
   * The room.
   */
  info: RoomInfo;
  /**
   * How many members there are.
   */
  member_count: number;
  /**
   * The members, when there are at most 200; else page them.
   */
  members?: Member[];
  /**
   * The newest messages outside threads, oldest first.
   */
  messages: Message[];
  /**
   * Whether there are older ones.
   */
  more: boolean;
  /**
   * How many people are in the room now.
   */
  online: number;
  /**
   * The pinned messages' places.
   */
  pins?: Seq[];
  /**
   * Who is there, in rooms up to 200.
   */
  presence?: Presence[];
  /**
   * Names of the people above.
   */
  profiles?: {
    [k: string]: Profile;
  };
  /**
   * Read markers: the reader's own, and the others' in rooms up to 200.
   */
  read?: ReadMarker[];
}
/**
 * A room's record.
 */
export interface RoomInfo {
  /**
   * An archived room is read only.
   */
  archived?: boolean;
  /**
   * When it was created.
   */
  created_at: number;
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Who sees what was before them.
   */
  history?: HistoryVisibility;
  /**
   * What it is for.
   */
  kind: RoomKind;
  /**
   * Days after which messages are erased; `None` keeps them.
   */
  retention_days?: number;
  /**
   * Its id.
   */
  room: RoomId;
  /**
   * Seconds between two messages of a person; 0 is off.
   */
  slow_mode_s?: number;
  /**
   * Shown in lists; empty for direct rooms.
   */
  title?: string;
  /**
   * Shown at the top of the room.
   */
  topic?: string;
  /**
   * The room on the server's page. Made of the server's public address and the id whenever the record is told, and
   * kept nowhere; relative to the server when it does not know its public address.
   */
  url?: string;
}
/**
 * A membership.
 */
export interface Member {
  /**
   * Capabilities of their own in place of the role's.
   */
  capabilities?: Capability[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * When it was granted.
   */
  joined_at: number;
  /**
   * The sequence that granted the membership.
   */
  joined_seq: Seq;
  /**
   * Until when they may not send; `SEQ_MAX`-like far values mean until unmuted.
   */
  muted_until?: number;
  /**
   * The role in this room.
   */
  role: Role;
  /**
   * Who.
   */
  user: UserId;
}
/**
 * A message as it is now. The room and `seq` are its name.
 */
export interface Message {
  /**
   * Shown as an announcement.
   */
  announcement?: boolean;
  /**
   * When it was sent.
   */
  at: number;
  /**
   * Files.
   */
  attachments?: Attachment[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * A tombstone: the words are gone.
   */
  deleted?: boolean;
  /**
   * When it was last edited.
   */
  edited_at?: number;
  /**
   * Who sent it; absent after the erasure of that user.
   */
  from?: UserId;
  /**
   * Whether everybody in the room is meant.
   */
  mention_all?: boolean;
  /**
   * Users that are told.
   */
  mentions?: UserId[];
  /**
   * Whether it is pinned.
   */
  pinned?: boolean;
  /**
   * Reactions.
   */
  reactions?: Reaction[];
  /**
   * Messages in the thread below it, tombstones apart.
   */
  replies?: number;
  /**
   * The message that it answers.
   */
  reply_to?: Seq;
  /**
   * Its room.
   */
  room: RoomId;
  /**
   * Its place in the room's log.
   */
  seq: Seq;
  /**
   * The words; empty when deleted.
   */
  text: string;
  /**
   * The first message of its thread.
   */
  thread?: Seq;
}
/**
 * A file beside a message. There are none until files come; the field is there so that readers are ready.
 */
export interface Attachment {
  /**
   * Where it is.
   */
  url: string;
}
/**
 * Reactions of one emoji on one message.
 */
export interface Reaction {
  /**
   * How many people.
   */
  count: number;
  /**
   * The emoji.
   */
  emoji: string;
  /**
   * Whether the reader is one of them.
   */
  mine?: boolean;
  /**
   * The first of them, at most 20.
   */
  users: UserId[];
}
/**
 * One row of a user's room list.
 */
export interface RoomEntry {
  /**
   * The end of the room's log.
   */
  head: Seq;
  /**
   * The room.
   */
  info: RoomInfo;
  /**
   * The newest message that the reader may see.
   */
  last?: Message;
  /**
   * Messages after that place that mention the reader, counted up to 100.
   */
  mentions: number;
  /**
   * The other one in a direct room.
   */
  peer?: UserId;
  /**
   * Where the reader is.
   */
  read: Seq;
  /**
   * The reader's role.
   */
  role: Role;
  /**
   * Messages of others after that place, counted up to 100.
   */
  unread: number;
}
/**
 * A command was refused.
 */
export interface ErrorFrame {
  /**
   * What kind of refusal it is.
   */
  code: ErrorCode;
  /**
   * The field that is to blame, as a path (`data.x[3]`).
   */
  field?: string;
  /**
   * The command's id; absent when it could not be read.
   */
  id?: number;
  /**
   * A sentence for the developer; not for end users, not stable.
   */
  message: string;
  /**
   * Milliseconds after which the same command may be accepted.
   */
  retry_after_ms?: number;
}
/**
 * A refusal: a stable code, a sentence for the developer, the field where one is to blame, and when to try again.
 */
export interface Fault {
  /**
   * What kind of refusal it is.
   */
  code: ErrorCode;
  /**
   * The field that is to blame, as a path (`data.x[3]`).
   */
  field?: string;
  /**
   * A sentence for the developer; not for end users, not stable.
   */
  message: string;
  /**
   * Milliseconds after which the same command may be accepted.
   */
  retry_after_ms?: number;
}
/**
 * The first event of a room.
 */
export interface RoomCreated {
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Who sees what was before them.
   */
  history?: HistoryVisibility;
  /**
   * What it is for.
   */
  kind: RoomKind;
  /**
   * Days after which messages are erased.
   */
  retention_days?: number;
  /**
   * Seconds between two messages of a person.
   */
  slow_mode_s?: number;
  /**
   * Title.
   */
  title?: string;
  /**
   * Topic.
   */
  topic?: string;
}
/**
 * Changes of a room's record.
 */
export interface RoomUpdated {
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Who sees what was before them.
   */
  history?: HistoryVisibility;
  /**
   * Days after which messages are erased; 0 keeps them.
   */
  retention_days?: number;
  /**
   * Seconds between two messages of a person; 0 is off.
   */
  slow_mode_s?: number;
  /**
   * Title.
   */
  title?: string;
  /**
   * Topic.
   */
  topic?: string;
}
/**
 * A granted membership.
 */
export interface MemberJoined {
  /**
   * Capabilities of their own in place of the role's.
   */
  capabilities?: Capability[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * The first role.
   */
  role: Role;
  /**
   * Whose.
   */
  user: UserId;
}
/**
 * Changes of a membership.
 */
export interface MemberUpdated {
  /**
   * Capabilities of their own.
   */
  capabilities?: Capability[];
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Until when they may not send; 0 lets them speak again.
   */
  muted_until?: number;
  /**
   * The new role; it takes capabilities of their own away.
   */
  role?: Role;
  /**
   * Whose.
   */
  user: UserId;
}
/**
 * A message as it was sent.
 */
export interface ChatBody {
  /**
   * Shown as an announcement.
   */
  announcement?: boolean;
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Whether everybody in the room is meant.
   */
  mention_all?: boolean;
  /**
   * Users that are told.
   */
  mentions?: UserId[];
  /**
   * The message that it answers.
   */
  reply_to?: Seq;
  /**
   * The words.
   */
  text: string;
  /**
   * The first message of its thread.
   */
  thread?: Seq;
}
