// The call as React sees it, and what is wrong with it in words.
import type { LinkReport, TrackSource, Verdict } from "@stoa/client";
import type { Call, CallParticipant, CallState, DeviceProblem } from "@stoa/client/call";
import { useCallback, useSyncExternalStore } from "react";
import { isFramed } from "../parent.ts";
import type { CallWords } from "./words.ts";

export function useCallState(call: Call): CallState {
  const listen = useCallback((told: () => void) => call.on("change", told), [call]);
  return useSyncExternalStore(listen, () => call.state);
}

export type Bars = "good" | "fair" | "poor" | "none";

export interface Signal {
  bars: Bars;
  /** All that is known of it, a line each. */
  lines: string[];
}

// The server's own bounds, of which the verdicts come.
const LOSS = { fair: 0.02, poor: 0.08 };
const DELAY_MS = { fair: 300, poor: 600 };

/** How the way to somebody does. */
export function signalOf({ connection, report, verdict }: CallParticipant, words: CallWords): Signal {
  if (connection === "failed" || connection === "interrupted") {
    return { bars: "none", lines: [words.signal.none, connection === "failed" ? words.failed : words.interrupted] };
  }
  const own = report && verdictOf(report);
  const bars = worse(own ?? "good", verdict ?? "good");
  const lines = [words.signal[bars]];
  if (report) {
    const { loss = 0, rtt_ms = 0, frozen_ms = 0 } = report;
    if (loss > LOSS.fair) lines.push(words.loss(Math.round(loss * 100)));
    if (rtt_ms > DELAY_MS.fair) lines.push(words.delay(Math.round(rtt_ms / 2)));
    if (frozen_ms > 0) lines.push(words.frozen(Math.max(1, Math.round(frozen_ms / 1_000))));
    lines.push(report.relayed ? words.relayed : words.direct);
  }
  return { bars, lines };
}

function verdictOf({ loss = 0, rtt_ms = 0, frozen_ms = 0 }: LinkReport): Verdict {
  if (loss > LOSS.poor || rtt_ms > DELAY_MS.poor || frozen_ms > 1_500) return "poor";
  return loss > LOSS.fair || rtt_ms > DELAY_MS.fair || frozen_ms > 0 ? "fair" : "good";
}

function worse(a: Verdict, b: Verdict): Verdict {
  const order: Verdict[] = ["good", "fair", "poor"];
  return order[Math.max(order.indexOf(a), order.indexOf(b))] ?? "good";
}

/** Chromium's view of the frame's `allow` list; other browsers have none, and say that the user refused. */
function isBlocked(feature: string): boolean | undefined {
  type Policy = { allowsFeature(feature: string): boolean };
  const { permissionsPolicy, featurePolicy } = document as { permissionsPolicy?: Policy; featurePolicy?: Policy };
  const policy = permissionsPolicy ?? featurePolicy;
  return policy && !policy.allowsFeature(feature);
}

/** What a mentor can do about a device that could not be had. */
export function problemText(source: TrackSource, problem: DeviceProblem, words: CallWords): string {
  if (source === "screen" || source === "screen_audio") return words.problems.screen;
  const name = source === "microphone" ? words.microphone : words.camera;
  if (!globalThis.isSecureContext) return words.problems.insecure;
  if (problem === "denied" || problem === "unavailable") {
    const blocked = isFramed ? isBlocked(source) : false;
    if (blocked) return words.problems.embedded(name);
    if (blocked === undefined) return words.problems.maybeEmbedded;
  }
  return words.problems[problem];
}
