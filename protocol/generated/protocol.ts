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
  | (CallStart & {
      type: "call.start";
    })
  | (CallRing & {
      type: "call.ring";
    })
  | (CallDecline & {
      type: "call.decline";
    })
  | (CallJoin & {
      type: "call.join";
    })
  | (CallLeave & {
      type: "call.leave";
    })
  | (CallEnd & {
      type: "call.end";
    })
  | (CallUpdate & {
      type: "call.update";
    })
  | (CallAdmit & {
      type: "call.admit";
    })
  | (CallRefuse & {
      type: "call.refuse";
    })
  | (CallMute & {
      type: "call.mute";
    })
  | (CallRemove & {
      type: "call.remove";
    })
  | (CallTracks & {
      type: "call.tracks";
    })
  | (CallHand & {
      type: "call.hand";
    })
  | (CallRelink & {
      type: "call.relink";
    })
  | (CallSignal & {
      type: "call.signal";
    })
  | (CallConfirm & {
      type: "call.confirm";
    })
  | (CallAway & {
      type: "call.away";
    })
  | (CallGet & {
      type: "call.get";
    })
  | (CallIce & {
      type: "call.ice";
    })
  | (CallReport & {
      type: "call.report";
    })
  | (CallHistory & {
      type: "call.history";
    })
  | (DocOpen & {
      type: "doc.open";
    })
  | (DocClose & {
      type: "doc.close";
    })
  | (DocList & {
      type: "doc.list";
    })
  | (DocCreate & {
      type: "doc.create";
    })
  | (DocUpdate & {
      type: "doc.update";
    })
  | (DocDelete & {
      type: "doc.delete";
    })
  | (DocVersions & {
      type: "doc.versions";
    })
  | (DocVersionSave & {
      type: "doc.version.save";
    })
  | (DocVersionDelete & {
      type: "doc.version.delete";
    })
  | (DocRestore & {
      type: "doc.restore";
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
export type Capability = "send" | "react" | "pin" | "announce" | "invite" | "moderate" | "manage" | "app" | "call";
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
 * What a call is about; participants may send more or less.
 */
export type CallMedia = "audio" | "video";
/**
 * What a track shows.
 */
export type TrackSource = "microphone" | "camera" | "screen" | "screen_audio";
/**
 * How a host mutes.
 */
export type MuteState = "muted" | "locked" | "free";
export type TrackId = string;
export type CallLinkId = string;
/**
 * What one end of a link says to the other.
 */
export type Signal =
  | {
      kind: "offer";
      /**
       * The description.
       */
      sdp: string;
      /**
       * The sender's tracks by the `mid` of the media section that carries them (RFC 8843).
       */
      tracks?: {
        [k: string]: TrackId;
      };
    }
  | {
      kind: "answer";
      /**
       * The number of the offer that it answers. An answer to an offer that was given up is passed over.
       */
      offer: number;
      /**
       * The description.
       */
      sdp: string;
      /**
       * The sender's tracks by `mid`.
       */
      tracks?: {
        [k: string]: TrackId;
      };
    }
  | {
      /**
       * `candidate:…` as the browser has it; empty is the end of candidates.
       */
      candidate: string;
      kind: "candidate";
      /**
       * Its media section.
       */
      mid?: string;
      /**
       * The index of its media section.
       */
      mline?: number;
      /**
       * The ICE user name of the description that it belongs to: one of a description that was given up is passed
       * over.
       */
      ufrag?: string;
    }
  | {
      kind: "dropped";
    };
export type DocumentId = string;
/**
 * What a document is, for the page that shows it. The server treats all alike.
 */
export type DocumentKind = "board" | "notes" | "code" | "other";
/**
 * A frame of the server. Durable events are flat: see [`RoomEvent`] and [`UserEvent`].
 */
export type ServerFrame = Control | DocumentFrame | RoomEvent | UserEvent;
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
       * The call.
       */
      call: Seq;
      /**
       * Since when its hand is raised: hands are called in this order, ties by session.
       */
      hand?: number;
      /**
       * The room.
       */
      room: RoomId;
      /**
       * Which participant.
       */
      session: SessionId;
      /**
       * What it sends.
       */
      tracks?: Track[];
      type: "call.state";
      /**
       * Its newest verdict.
       */
      verdict?: Verdict;
      /**
       * Grows with every change; a state whose version is not above the known one is old.
       */
      version?: number;
    }
  | {
      /**
       * Whether it is away.
       */
      away: boolean;
      /**
       * The call.
       */
      call: Seq;
      /**
       * The room.
       */
      room: RoomId;
      /**
       * Which participant.
       */
      session: SessionId;
      type: "call.away";
    }
  | {
      /**
       * The call.
       */
      call: Seq;
      /**
       * The life of the connection, from 1. A higher one means: close the old `RTCPeerConnection`, make a new one,
       * count signals from 1.
       */
      epoch: number;
      /**
       * The end whose offer stands when offers collide.
       */
      impolite: LinkEnd;
      /**
       * Its name; never used again in the room.
       */
      link: CallLinkId;
      /**
       * The end that gives way when offers collide. It makes the first offer of an epoch.
       */
      polite: LinkEnd;
      /**
       * The room.
       */
      room: RoomId;
      type: "call.link";
    }
  | {
      /**
       * The call.
       */
      call: Seq;
      /**
       * The link.
       */
      link: CallLinkId;
      /**
       * The room.
       */
      room: RoomId;
      type: "call.unlinked";
    }
  | (CallSignal & {
      type: "call.signal";
    })
  | {
      /**
       * The call.
       */
      call: Seq;
      /**
       * In which life of it.
       */
      epoch: number;
      /**
       * The link.
       */
      link: CallLinkId;
      /**
       * Up to here.
       */
      n: number;
      /**
       * The room.
       */
      room: RoomId;
      type: "call.confirmed";
    }
  | {
      /**
       * The call.
       */
      call: Seq;
      /**
       * In which life of it.
       */
      epoch: number;
      /**
       * The link.
       */
      link: CallLinkId;
      /**
       * Its number.
       */
      n: number;
      /**
       * The room.
       */
      room: RoomId;
      /**
       * The end whose signal it is.
       */
      sender: LinkEnd;
      type: "call.unconfirmed";
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
  | (CallReply & {
      kind: "call";
    })
  | (CallLink & {
      kind: "link";
    })
  | (IceServers & {
      kind: "ice";
    })
  | {
      /**
       * The calls, the newest first.
       */
      calls: CallRecord[];
      kind: "calls";
      /**
       * Whether there are older ones.
       */
      more: boolean;
      /**
       * Names of the people in them.
       */
      profiles?: {
        [k: string]: Profile;
      };
    }
  | (DocumentOpened & {
      kind: "document";
    })
  | {
      /**
       * Their records, the room's first board at first.
       */
      documents: DocumentInfo[];
      kind: "documents";
    }
  | {
      kind: "versions";
      /**
       * Whether there are older ones.
       */
      more: boolean;
      /**
       * The rows, newest first.
       */
      versions: DocumentVersion[];
    }
  | {
      kind: "version";
      /**
       * It.
       */
      version: DocumentVersion;
    }
  | {
      /**
       * When the new one expires.
       */
      expires_at: number;
      kind: "token";
    };
/**
 * Every participant has a link to every other.
 */
export type Carried = "mesh";
/**
 * An end of a link.
 */
export type LinkEnd =
  | {
      kind: "session";
      /**
       * Which.
       */
      session: SessionId;
    }
  | {
      kind: "server";
    };
/**
 * How well a participant is connected, by what its client measures.
 */
export type Verdict = "good" | "fair" | "poor";
/**
 * Where a session is in a call.
 */
export type CallPlace = "in" | "waiting" | "out";
/**
 * Why a session went.
 */
export type CallLeaveReason = "left" | "lost" | "replaced" | "removed" | "rights";
/**
 * Why a call is over.
 */
export type CallEndReason = "ended" | "empty" | "declined" | "missed" | "archived";
/**
 * Why a version was kept.
 */
export type VersionReason = "named" | "time" | "restore";
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
  | "internal"
  | "call_full";
/**
 * What is told of an open document.
 */
export type DocumentFrame =
  | {
      /**
       * The highest number of a batch that is saved; all before it are saved or were refused.
       */
      batch: number;
      /**
       * Where.
       */
      channel: number;
      type: "doc.saved";
    }
  | {
      /**
       * Which; absent when the update had no number.
       */
      batch?: number;
      /**
       * Where.
       */
      channel: number;
      /**
       * A sentence for the developer.
       */
      message: string;
      /**
       * Why.
       */
      reason: Refusal;
      type: "doc.refused";
    }
  | {
      /**
       * Where.
       */
      channel: number;
      /**
       * The record now.
       */
      info: DocumentInfo;
      /**
       * Whether the reader may edit now.
       */
      may_edit: boolean;
      type: "doc.rights";
    }
  | {
      /**
       * Where.
       */
      channel: number;
      /**
       * How much of what a document may hold is used; at 100 nothing can be added until something is deleted.
       */
      percent?: number;
      type: "doc.fill";
    }
  | {
      /**
       * Which.
       */
      channel: number;
      /**
       * Why: `forbidden`, `not_found`, `internal`.
       */
      reason: Fault;
      type: "doc.closed";
    }
  | {
      /**
       * Where.
       */
      channel: number;
      /**
       * The life of the content now.
       */
      epoch: Epoch;
      type: "doc.reset";
    };
/**
 * Why an update was not taken. Nothing of it was applied.
 */
export type Refusal = "forbidden" | "malformed" | "gap" | "foreign" | "too_large" | "full" | "unavailable" | "internal";
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
  | (DocumentInfo & {
      type: "document.created";
    })
  | (DocumentInfo & {
      type: "document.updated";
    })
  | {
      /**
       * Which.
       */
      document: DocumentId;
      type: "document.deleted";
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
  | CallEvent
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
 * A durable event of a call; they stand in the room's log.
 */
export type CallEvent =
  | (CallStarted & {
      type: "call.started";
    })
  | {
      /**
       * Which call.
       */
      call: Seq;
      type: "call.rang";
      /**
       * Whose.
       */
      users: UserId[];
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * Why.
       */
      reason: DeclineReason;
      type: "call.declined";
      /**
       * Who.
       */
      user: UserId;
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * A name of the user's device that tells others nothing: a newer session of the same device takes the place
       * of an older one.
       */
      device?: DeviceId;
      /**
       * Which session.
       */
      session: SessionId;
      type: "call.joined";
      /**
       * Whose.
       */
      user: UserId;
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * Why.
       */
      reason: CallLeaveReason;
      /**
       * Which session.
       */
      session: SessionId;
      type: "call.left";
      /**
       * Whose.
       */
      user: UserId;
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * Which session.
       */
      session: SessionId;
      type: "call.knocked";
      /**
       * Whose.
       */
      user: UserId;
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      type: "call.admitted";
      /**
       * Who.
       */
      user: UserId;
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      type: "call.refused";
      /**
       * Who.
       */
      user: UserId;
    }
  | (CallUpdated & {
      type: "call.updated";
    })
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * Which of their sources.
       */
      source: TrackSource;
      /**
       * How.
       */
      state: MuteState;
      type: "call.muted";
      /**
       * Whom.
       */
      users: UserId[];
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * How long it ran, milliseconds.
       */
      duration_ms: number;
      /**
       * Why.
       */
      reason: CallEndReason;
      type: "call.ended";
    };
/**
 * Why somebody who was rung does not come.
 */
export type DeclineReason = "declined" | "busy" | "missed";
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
       * Which call.
       */
      call: Seq;
      /**
       * What it is about.
       */
      media: CallMedia;
      /**
       * In which room.
       */
      room: RoomId;
      type: "user.ring";
      /**
       * When it stops by itself.
       */
      until: number;
    }
  | {
      /**
       * Which call.
       */
      call: Seq;
      /**
       * How.
       */
      reason: RingEnd;
      /**
       * In which room.
       */
      room: RoomId;
      type: "user.ring_ended";
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
 * How a ring ended on the user's devices.
 */
export type RingEnd = "answered" | "declined" | "missed" | "cancelled" | "busy";

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
 * Starts a call in a room and joins it. Where one runs it is joined: two who press Call at once meet.
 */
export interface CallStart {
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Who comes waits to be admitted; needs `moderate`.
   */
  lobby?: boolean;
  /**
   * What it is about.
   */
  media?: CallMedia;
  /**
   * Members whose devices ring. In a direct room the other one's always do.
   */
  ring?: UserId[];
  /**
   * Every member's devices ring, up to 50.
   */
  ring_all?: boolean;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Lets more devices ring.
 */
export interface CallRing {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whose, at most 50.
   */
  users: UserId[];
}
/**
 * Says no to a ring, for all of the user's devices.
 */
export interface CallDecline {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Comes in, and so answers a ring; waits in the lobby where there is one.
 */
export interface CallJoin {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Goes, out of the call or out of the lobby.
 */
export interface CallLeave {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Ends the call for all.
 */
export interface CallEnd {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Locks, unlocks, puts a lobby in front; absent fields stay.
 */
export interface CallUpdate {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Who comes waits to be admitted.
   */
  lobby?: boolean;
  /**
   * Nobody new comes in.
   */
  locked?: boolean;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Lets somebody in, for the rest of the call: who waits, who was removed, and who is yet to come.
 */
export interface CallAdmit {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whom.
   */
  user: UserId;
}
/**
 * Sends somebody away who waits.
 */
export interface CallRefuse {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whom.
   */
  user: UserId;
}
/**
 * Mutes others.
 */
export interface CallMute {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Which source.
   */
  source: TrackSource;
  /**
   * How.
   */
  state: MuteState;
  /**
   * Whom, at most 50; nobody named means everybody in the call who does not moderate.
   */
  users?: UserId[];
}
/**
 * Removes somebody with all their devices.
 */
export interface CallRemove {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Whom.
   */
  user: UserId;
}
/**
 * What this session sends now, whole: tracks come, go and are muted by it.
 */
export interface CallTracks {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * The tracks, at most 8.
   */
  tracks: Track[];
}
/**
 * A track that a participant offers, apart from the links that carry it.
 */
export interface Track {
  /**
   * Whether it is silent or dark now.
   */
  muted?: boolean;
  /**
   * What it shows.
   */
  source: TrackSource;
  /**
   * Its id, of its sender's choosing; the same on every link.
   */
  track: TrackId;
}
/**
 * Raises or lowers a hand.
 */
export interface CallHand {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Raised, or lowered.
   */
  on: boolean;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Another's, to be lowered by a host; one's own without it.
   */
  session?: SessionId;
}
/**
 * Asks for a new epoch of a link whose connection cannot be saved.
 */
export interface CallRelink {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * The epoch that is given up. Where a newer one exists already nothing happens.
   */
  epoch: number;
  /**
   * Which link.
   */
  link: CallLinkId;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Says something to the other end of a link.
 */
export interface CallSignal {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * In which life of it.
   */
  epoch: number;
  /**
   * Which link.
   */
  link: CallLinkId;
  /**
   * Its number: 1, 2, 3, … per end and epoch. Sent again under the same number until it is confirmed.
   */
  n: number;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * What is said.
   */
  signal: Signal;
}
/**
 * Confirms that everything up to `n` was handled.
 */
export interface CallConfirm {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * In which life of it.
   */
  epoch: number;
  /**
   * Which link.
   */
  link: CallLinkId;
  /**
   * Up to here.
   */
  n: number;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * The page of this session is being left. Without a connection it stays in the call for 10 s from then on and not
 * for 30 s: enough to be loaded anew.
 */
export interface CallAway {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * The running call as it is now.
 */
export interface CallGet {
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * ICE servers with fresh credentials.
 */
export interface CallIce {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * What was measured since the last report; some times a minute.
 */
export interface CallReport {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * Per link, at most 16.
   */
  links: LinkReport[];
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * What a client measured on one of its links since its last report.
 */
export interface LinkReport {
  /**
   * Frozen pictures, milliseconds.
   */
  frozen_ms?: number;
  /**
   * Received, bits per second.
   */
  in_bps?: number;
  /**
   * Jitter, milliseconds.
   */
  jitter_ms?: number;
  /**
   * Which.
   */
  link: CallLinkId;
  /**
   * Share of packets lost, 0 to 1.
   */
  loss?: number;
  /**
   * Sent, bits per second.
   */
  out_bps?: number;
  /**
   * Whether a relay carries it.
   */
  relayed?: boolean;
  /**
   * Round trip, milliseconds.
   */
  rtt_ms?: number;
}
/**
 * A page of calls, the newest first.
 */
export interface CallHistory {
  /**
   * Older than this one.
   */
  before?: Seq;
  /**
   * Rows, at most 50.
   */
  limit?: number;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Opens a document of a room that this connection has open.
 */
export interface DocOpen {
  /**
   * Which.
   */
  document: DocumentId;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Closes an open document.
 */
export interface DocClose {
  /**
   * Which.
   */
  channel: number;
}
/**
 * The documents of a room.
 */
export interface DocList {
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * Creates a document.
 */
export interface DocCreate {
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Its name.
   */
  document: DocumentId;
  /**
   * Who may edit.
   */
  edit?: EditRight;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * What it is.
   */
  kind: DocumentKind;
  /**
   * Only those who manage the room may edit.
   */
  locked?: boolean;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Shown above it.
   */
  title?: string;
}
/**
 * Who may edit a document. Whoever manages the room always may; nobody else while it is locked. Then `deny` wins over
 * `allow`, and `allow` over role and capability.
 */
export interface EditRight {
  /**
   * People who may, whatever their role.
   */
  allow?: UserId[];
  /**
   * A capability that is needed too.
   */
  capability?: Capability;
  /**
   * People who may not.
   */
  deny?: UserId[];
  /**
   * The least role.
   */
  role?: Role;
}
/**
 * Changes a document's record; absent fields stay.
 */
export interface DocUpdate {
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Which.
   */
  document: DocumentId;
  /**
   * Who may edit, as a whole.
   */
  edit?: EditRight;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Only those who manage the room may edit.
   */
  locked?: boolean;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Shown above it.
   */
  title?: string;
}
/**
 * Deletes a document with everything in it and its versions. The room's first board stays.
 */
export interface DocDelete {
  /**
   * Which.
   */
  document: DocumentId;
  /**
   * Makes it idempotent.
   */
  key: Key;
  /**
   * Where.
   */
  room: RoomId;
}
/**
 * A page of a document's versions, newest first.
 */
export interface DocVersions {
  /**
   * Older than this one.
   */
  before?: number;
  /**
   * Which.
   */
  document: DocumentId;
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
 * Keeps the document's state of now as a version.
 */
export interface DocVersionSave {
  /**
   * Which.
   */
  document: DocumentId;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Its name.
   */
  title: string;
}
/**
 * Deletes a version: who kept it may while they may edit, and who manages the room.
 */
export interface DocVersionDelete {
  /**
   * Which.
   */
  document: DocumentId;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * Which of its versions.
   */
  version: number;
}
/**
 * Sets the document back to a version, by a new edit. What it was before is kept as a version first.
 */
export interface DocRestore {
  /**
   * Which.
   */
  document: DocumentId;
  /**
   * Where.
   */
  room: RoomId;
  /**
   * To which version.
   */
  version: number;
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
   * The running call when the cursor was taken up, as of `head`.
   */
  call?: CallNow;
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
 * A running call, as of the room's head.
 */
export interface CallNow {
  /**
   * Its name: the `seq` of its `call.started`.
   */
  call: Seq;
  /**
   * How media travels.
   */
  carried: Carried;
  /**
   * The links of the reader's own session.
   */
  links?: CallLink[];
  /**
   * Who comes waits to be admitted.
   */
  lobby?: boolean;
  /**
   * Nobody new comes in.
   */
  locked?: boolean;
  /**
   * What it is about.
   */
  media: CallMedia;
  /**
   * What may not be unmuted.
   */
  mute_locks?: MuteLock[];
  /**
   * Who is in it, in the order in which they joined.
   */
  participants: Participant[];
  /**
   * Whose devices ring.
   */
  ringing?: UserId[];
  /**
   * When it started.
   */
  started_at: number;
  /**
   * Who started it; absent after their erasure.
   */
  started_by?: UserId;
  /**
   * Who waits in the lobby, the first one first.
   */
  waiting?: Knock[];
}
/**
 * A peer connection between two ends.
 */
export interface CallLink {
  /**
   * The life of the connection, from 1. A higher one means: close the old `RTCPeerConnection`, make a new one,
   * count signals from 1.
   */
  epoch: number;
  /**
   * The end whose offer stands when offers collide.
   */
  impolite: LinkEnd;
  /**
   * Its name; never used again in the room.
   */
  link: CallLinkId;
  /**
   * The end that gives way when offers collide. It makes the first offer of an epoch.
   */
  polite: LinkEnd;
}
/**
 * A source that a user may not unmute.
 */
export interface MuteLock {
  /**
   * Which.
   */
  source: TrackSource;
  /**
   * Whose.
   */
  user: UserId;
}
/**
 * Somebody in a call: one session of a user.
 */
export interface Participant {
  /**
   * Since when its hand is raised: hands are called in this order, ties by session.
   */
  hand?: number;
  /**
   * The `seq` of its `call.joined`.
   */
  joined: Seq;
  /**
   * When it joined.
   */
  joined_at: number;
  /**
   * The session.
   */
  session: SessionId;
  /**
   * What it sends.
   */
  tracks?: Track[];
  /**
   * Whose.
   */
  user: UserId;
  /**
   * Its newest verdict.
   */
  verdict?: Verdict;
  /**
   * Grows with every change; a state whose version is not above the known one is old.
   */
  version?: number;
}
/**
 * Somebody in the lobby.
 */
export interface Knock {
  /**
   * Since when.
   */
  at: number;
  /**
   * The session.
   */
  session: SessionId;
  /**
   * Whose.
   */
  user: UserId;
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
   * The running call.
   */
  call?: CallNow;
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
   * Whether a call runs.
   */
  call?: boolean;
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
 * The reply to `call.start`, `call.join` and `call.get`.
 */
export interface CallReply {
  /**
   * The call now; absent when none runs.
   */
  call?: CallNow;
  /**
   * For a session that is in the call.
   */
  ice?: IceServers;
  /**
   * Where the reader's own session is.
   */
  place: CallPlace;
}
/**
 * The servers for one user, and how long they are good.
 */
export interface IceServers {
  /**
   * When the TURN credentials end; absent without TURN. Relays that exist then go on only until their next
   * refresh, minutes later, so a long call sets new ones before.
   */
  expires_at?: number;
  /**
   * When to ask for the next ones: some time before the end, so that a reconnect has time.
   */
  refresh_at?: number;
  /**
   * `iceServers`; empty when the operator has configured none. Peers in one network connect without any.
   */
  servers: IceServer[];
}
/**
 * One entry of `iceServers` (W3C WebRTC, section 4.2.4): pass it to `RTCPeerConnection` as it is.
 */
export interface IceServer {
  /**
   * Its password; absent for STUN.
   */
  credential?: string;
  /**
   * `stun:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065).
   */
  urls: string[];
  /**
   * The name at the TURN server, with the time until which it is good in front; absent for STUN.
   */
  username?: string;
}
/**
 * A call in the history.
 */
export interface CallRecord {
  /**
   * Its name.
   */
  call: Seq;
  /**
   * When it ended; absent while it runs.
   */
  ended_at?: number;
  /**
   * What it was about.
   */
  media: CallMedia;
  /**
   * Who was in it, in the order in which they joined; the first 200.
   */
  participants: CallAttendance[];
  /**
   * Why it ended.
   */
  reason?: CallEndReason;
  /**
   * When it started.
   */
  started_at: number;
  /**
   * Who started it.
   */
  started_by?: UserId;
}
/**
 * One stay in a call.
 */
export interface CallAttendance {
  /**
   * When it began.
   */
  joined_at: number;
  /**
   * When it ended; absent while it goes on.
   */
  left_at?: number;
  /**
   * How well it was connected, when its client reported.
   */
  quality?: Quality;
  /**
   * Why it ended; absent when the call did.
   */
  reason?: CallLeaveReason;
  /**
   * Whose; absent after their erasure.
   */
  user?: UserId;
}
/**
 * A participant's connection over the whole call.
 */
export interface Quality {
  /**
   * Of them, those that were fair.
   */
  fair: number;
  /**
   * Frozen pictures in all, milliseconds.
   */
  frozen_ms: number;
  /**
   * Mean share of packets lost, 0 to 1.
   */
  loss: number;
  /**
   * Of them, those that were poor.
   */
  poor: number;
  /**
   * Whether a relay carried it at any time.
   */
  relayed: boolean;
  /**
   * Reports behind it.
   */
  reports: number;
  /**
   * Mean round trip, milliseconds.
   */
  rtt_ms: number;
  /**
   * The verdict over the call: `poor` when a fifth of the reports were, `fair` when a fifth were fair or worse.
   */
  verdict: Verdict;
}
/**
 * The reply to `doc.open`.
 */
export interface DocumentOpened {
  /**
   * Largest awareness state, bytes of JSON.
   */
  awareness_bytes: number;
  /**
   * Names the document in binary frames and in what is told of it, on this connection.
   */
  channel: number;
  /**
   * The life of the content: a replica of another life must not be merged with it.
   */
  epoch: Epoch;
  /**
   * How much of what a document may hold is used, percent; absent below 80.
   */
  fill?: number;
  /**
   * Its record.
   */
  info: DocumentInfo;
  /**
   * Whether the reader may edit now.
   */
  may_edit: boolean;
  /**
   * The room.
   */
  room: RoomId;
  /**
   * Largest update, bytes.
   */
  update_bytes: number;
}
/**
 * A document's record.
 */
export interface DocumentInfo {
  /**
   * When it was created; of the room's first board, when the room was.
   */
  created_at: number;
  /**
   * The host application's own.
   */
  data?: Data;
  /**
   * Its name in the room.
   */
  document: DocumentId;
  /**
   * Who may edit.
   */
  edit?: EditRight;
  /**
   * What it is.
   */
  kind: DocumentKind;
  /**
   * Only those who manage the room may edit.
   */
  locked?: boolean;
  /**
   * Shown above it.
   */
  title?: string;
}
/**
 * A state that a document can be set back to.
 */
export interface DocumentVersion {
  /**
   * When it was kept.
   */
  at: number;
  /**
   * Who kept it; absent when the server did, or after their erasure.
   */
  by?: UserId;
  /**
   * Why.
   */
  reason: VersionReason;
  /**
   * Bytes of the state.
   */
  size: number;
  /**
   * Its name, when somebody gave it one.
   */
  title?: string;
  /**
   * Its number in the document.
   */
  version: number;
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
/**
 * How a call began.
 */
export interface CallStarted {
  /**
   * How media travels.
   */
  carried: Carried;
  /**
   * Who comes waits to be admitted.
   */
  lobby?: boolean;
  /**
   * What it is about.
   */
  media: CallMedia;
  /**
   * Whose devices ring.
   */
  ringing?: UserId[];
}
/**
 * A change of a call.
 */
export interface CallUpdated {
  /**
   * Which call.
   */
  call: Seq;
  /**
   * How media travels from now on.
   */
  carried?: Carried;
  /**
   * Who comes waits to be admitted.
   */
  lobby?: boolean;
  /**
   * Nobody new comes in.
   */
  locked?: boolean;
}
