// The wire's types, generated from the server's, and the few numbers that a client must know.
export type * from "../../../protocol/generated/protocol.ts";

/** The WebSocket subprotocol. */
export const SUBPROTOCOL = "stoa.v1";

/** Close codes that the client treats specially; the range tells the rest (4000-4499 reconnect, above not). */
export const CLOSE = {
  /** The token is not valid. */
  unauthorized: 4500,
  /** The token has expired; a new one is needed. */
  expired: 4501,
  /** RFC 6455, section 7.4.1: the server holds that we break its rules, so saying it again cannot help. */
  policy: 1008,
} as const;
