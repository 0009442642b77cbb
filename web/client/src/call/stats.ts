// What a link measures, from the platform's own statistics (W3C WebRTC Statistics).
import type { LinkReport } from "../protocol.ts";

/** Counters of one link at one time. */
export interface Counters {
  at: number;
  received: number;
  lost: number;
  inBytes: number;
  outBytes: number;
  frozenMs: number;
  framesDecoded: number;
  jitterMs: number;
  rttMs?: number;
  relayed: boolean;
}

type Stat = Record<string, unknown> & { type: string; id: string };

/** Sums up the statistics of one connection. */
export function count(report: Iterable<[string, unknown]>, at: number): Counters {
  const stats = new Map(report as Iterable<[string, Stat]>);
  const sum: Counters = {
    at,
    received: 0,
    lost: 0,
    inBytes: 0,
    outBytes: 0,
    frozenMs: 0,
    framesDecoded: 0,
    jitterMs: 0,
    relayed: false,
  };
  for (const stat of stats.values()) {
    if (stat.type === "inbound-rtp") {
      sum.received += number(stat.packetsReceived);
      sum.lost += number(stat.packetsLost);
      sum.inBytes += number(stat.bytesReceived);
      sum.frozenMs += number(stat.totalFreezesDuration) * 1_000;
      sum.framesDecoded += number(stat.framesDecoded);
      sum.jitterMs = Math.max(sum.jitterMs, number(stat.jitter) * 1_000);
    } else if (stat.type === "outbound-rtp") sum.outBytes += number(stat.bytesSent);
  }
  const pair = selectedPair(stats);
  if (pair) {
    if (typeof pair.currentRoundTripTime === "number") sum.rttMs = pair.currentRoundTripTime * 1_000;
    const ends = [stats.get(String(pair.localCandidateId)), stats.get(String(pair.remoteCandidateId))];
    sum.relayed = ends.some((end) => end?.candidateType === "relay");
  }
  return sum;
}

/** What was measured between two looks; nothing when no time passed. */
export function reportBetween(link: string, before: Counters, after: Counters): LinkReport | undefined {
  const seconds = (after.at - before.at) / 1_000;
  if (seconds <= 0) return undefined;
  const grown = (name: "received" | "lost" | "inBytes" | "outBytes" | "frozenMs") =>
    Math.max(0, after[name] - before[name]);
  const packets = grown("received") + grown("lost");
  return {
    link,
    rtt_ms: after.rttMs,
    loss: packets === 0 ? 0 : grown("lost") / packets,
    jitter_ms: after.jitterMs,
    in_bps: Math.round((grown("inBytes") * 8) / seconds),
    out_bps: Math.round((grown("outBytes") * 8) / seconds),
    frozen_ms: Math.round(grown("frozenMs")),
    relayed: after.relayed,
  };
}

function selectedPair(stats: ReadonlyMap<string, Stat>): Stat | undefined {
  const all = [...stats.values()];
  const transport = all.find((stat) => stat.type === "transport" && typeof stat.selectedCandidatePairId === "string");
  if (transport) return stats.get(String(transport.selectedCandidatePairId));
  return all.find((stat) => stat.type === "candidate-pair" && stat.nominated === true && stat.state === "succeeded");
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

export async function statsOf(pc: RTCPeerConnection): Promise<Iterable<[string, unknown]>> {
  return (await pc.getStats()) as unknown as Iterable<[string, unknown]>;
}

export async function ownLoudness(pc: RTCPeerConnection): Promise<number> {
  const sender = pc.getSenders?.().find(({ track }) => track?.kind === "audio");
  if (!sender) return 0;
  const report = (await sender.getStats()) as unknown as Iterable<[string, { type: string; audioLevel?: number }]>;
  for (const [, stat] of report) if (stat.type === "media-source") return stat.audioLevel ?? 0;
  return 0;
}
