// What a view of a call needs.
import type {
  CallEndReason,
  CallLeaveReason,
  CallNow,
  ErrorCode,
  LinkReport,
  Participant,
  SessionId,
  TrackSource,
} from "../protocol.ts";
import type { MediaState } from "./media.ts";
import type { Connection } from "./peer.ts";

/** A track of somebody's, as it can be shown. */
export interface ShownTrack {
  muted: boolean;
  /** Absent until it has arrived. */
  media?: MediaStreamTrack;
}

/** Somebody in the call, this client included. */
export interface CallParticipant extends Omit<Participant, "tracks"> {
  isMe: boolean;
  tracks: ReadonlyMap<TrackSource, ShownTrack>;
  /** How the link to them does; absent for this client. */
  connection?: Connection;
  isSpeaking: boolean;
  /** What was measured on the link to them in the last quarter of a minute. */
  report?: LinkReport;
}

/** Why this client is in the call no more. */
export type CallOver = CallLeaveReason | CallEndReason | "refused" | "full" | ErrorCode;

/** A new object after each change, never changed in place. */
export interface CallState {
  /** `out`: not in the call. `joining`: on the way. `waiting`: in the lobby. `in`: in it. */
  phase: "out" | "joining" | "waiting" | "in";
  /** Why `out`, after having been on the way or in. */
  over?: CallOver;
  /** The call of the room, also for those who are not in it. */
  call?: CallNow;
  /** In the order in which they joined. */
  participants: readonly CallParticipant[];
  /** Raised hands in the order in which they are called. */
  hands: readonly SessionId[];
  /** Who of the others spoke last. */
  speaker?: SessionId;
  /** Sources that a host has muted for good. */
  locked: readonly TrackSource[];
  media: MediaState;
  /** Whether the server can be reached; media goes on without. */
  isOnline: boolean;
}

export interface CallEvents {
  change: CallState;
  /** A host muted this user. */
  muted: { source: TrackSource; locked: boolean };
  /** A link could not be had or was lost, and is made anew. */
  trouble: { session?: SessionId; reason: "unconfirmed" | "failed" | "refused" };
}
