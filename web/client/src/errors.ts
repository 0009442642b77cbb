import type { ErrorCode, Fault } from "./protocol.ts";

/** A refusal of the server, or `closed` when this client was closed before the answer came. */
export class StoaError extends Error {
  readonly code: ErrorCode | "closed";
  /** The field that is to blame. */
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(fault: { code: ErrorCode | "closed"; message: string; field?: string; retry_after_ms?: number }) {
    super(fault.message);
    this.name = "StoaError";
    this.code = fault.code;
    this.field = fault.field;
    this.retryAfterMs = fault.retry_after_ms;
  }
}

/** Thrown by a token provider that will have no token whatever is tried: the client stops and says why. */
export class NoToken extends Error {
  override name = "NoToken";
}

/** Refusals that pass: the same command, with the same key, may be accepted later. */
export function passes(fault: Pick<Fault, "code">): boolean {
  return fault.code === "unavailable" || fault.code === "overloaded" || fault.code === "rate_limited";
}

/** The answer to whatever begins after the client was closed; whoever does not look at it need not hear of it. */
export function ended(): Promise<never> {
  const answer = Promise.reject(new StoaError({ code: "closed", message: "the client was closed" }));
  answer.catch(() => {});
  return answer;
}
