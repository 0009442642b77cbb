// Calls, beside the client: `new Call(client.room(id))`. A page that never calls does not load this.
export { Call, type CallOptions, type StartOptions } from "./call.ts";
export { type DeviceProblem, LocalMedia, type MediaEvents, type MediaState } from "./media.ts";
export type { Connection, PeerConnectionClass } from "./peer.ts";
export type { CallEvents, CallOver, CallParticipant, CallState, ShownTrack } from "./state.ts";
export type { Counters } from "./stats.ts";
