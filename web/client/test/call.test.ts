import { describe, expect, it } from "vitest";
import { applyEvent, applyRetained, type Folded, farEnd, NO_CALL, RunningCall } from "../src/call/fold.ts";
import { AGAIN_MS, Hearings, Sayings } from "../src/call/signals.ts";
import { count, reportBetween } from "../src/call/stats.ts";
import type { CallLink, RoomEvent, Signal } from "../src/index.ts";
import { FakeClock } from "./fake.ts";

let seq = 0;
function event(fields: Record<string, unknown> & { type: string }): RoomEvent {
  seq += 1;
  return { room: "r", seq, at: 1_000 + seq, ...fields } as unknown as RoomEvent;
}

function begun(...sessions: string[]): Folded {
  seq = 139;
  let folded = applyEvent(NO_CALL, event({ type: "call.started", from: "ada", media: "video", carried: "mesh" }));
  for (const session of sessions) {
    folded = applyEvent(folded, event({ type: "call.joined", call: 140, session, user: session }));
  }
  return folded;
}

const link = (epoch: number): CallLink => ({
  link: "141-142",
  epoch,
  polite: { kind: "session", session: "ben" },
  impolite: { kind: "session", session: "ada" },
});

describe("the fold of a call", () => {
  it("knows who is in it, in the order in which they joined", () => {
    const { now } = begun("ada", "ben");
    expect(now?.participants.map(({ session, joined }) => [session, joined])).toEqual([
      ["ada", 141],
      ["ben", 142],
    ]);
  });

  it("takes who joins out of the ringing and of the lobby", () => {
    let folded = begun("ada");
    folded = applyEvent(folded, event({ type: "call.rang", call: 140, users: ["ben", "cleo"] }));
    folded = applyEvent(folded, event({ type: "call.knocked", call: 140, session: "ben", user: "ben" }));
    expect(folded.now?.waiting).toHaveLength(1);
    folded = applyEvent(folded, event({ type: "call.joined", call: 140, session: "ben", user: "ben" }));
    expect(folded.now?.ringing).toEqual(["cleo"]);
    expect(folded.now?.waiting).toEqual([]);
  });

  it("passes over events of another call", () => {
    const before = begun("ada");
    expect(applyEvent(before, event({ type: "call.ended", call: 99, reason: "empty", duration_ms: 1 }))).toBe(before);
    expect(
      applyEvent(before, event({ type: "call.ended", call: 140, reason: "empty", duration_ms: 1 })).now,
    ).toBeUndefined();
  });

  it("keeps a state that comes before its session", () => {
    const early = { type: "call.state", room: "r", call: 140, session: "ben", version: 3, hand: 7 } as const;
    const folded = applyEvent(
      applyRetained(begun("ada"), early),
      event({ type: "call.joined", call: 140, session: "ben", user: "ben" }),
    );
    expect(folded.now?.participants[1]).toMatchObject({ session: "ben", version: 3, hand: 7 });
    expect(folded.early.size).toBe(0);
  });

  it("takes the newest version of a state only", () => {
    const state = (version: number, hand?: number) =>
      ({ type: "call.state", room: "r", call: 140, session: "ada", version, hand }) as const;
    let folded = applyRetained(begun("ada"), state(2, 5));
    folded = applyRetained(folded, state(1, 4));
    folded = applyRetained(folded, state(2, 6));
    expect(folded.now?.participants[0]?.hand).toBe(5);
    expect(applyRetained(folded, state(3)).now?.participants[0]?.hand).toBeUndefined();
  });

  it("keeps a lock when its user is muted again, until it is taken away", () => {
    const muted = (state: string) =>
      event({ type: "call.muted", call: 140, users: ["ben"], source: "microphone", state });
    let folded = applyEvent(begun("ada", "ben"), muted("locked"));
    folded = applyEvent(folded, muted("muted"));
    expect(folded.now?.mute_locks).toEqual([{ user: "ben", source: "microphone" }]);
    expect(applyEvent(folded, muted("free")).now?.mute_locks).toEqual([]);
  });

  it("knows who has no connection, until it is told otherwise", () => {
    const call = new RunningCall();
    const away = (session: string, away: boolean) =>
      call.hear({ type: "call.away", room: "r", call: 140, session, away });
    call.take(begun("ada", "ben").now, 142);
    away("ada", true);
    away("ben", true);
    // An answer with the whole call says nothing of it.
    call.take(begun("ada", "ben").now, 142);
    away("ada", false);
    expect([call.isAway("ada"), call.isAway("ben")]).toEqual([false, true]);
    call.apply(event({ type: "call.left", call: 140, session: "ben", user: "ben", reason: "lost" }));
    expect(call.isAway("ben")).toBe(false);
    away("ada", true);
    // The room was opened anew: it is told again.
    call.doubt();
    expect(call.isAway("ada")).toBe(false);
  });

  it("closes links with the session that they lead to", () => {
    let folded = applyRetained(begun("ada", "ben"), { type: "call.link", room: "r", call: 140, ...link(2) });
    folded = applyRetained(folded, { type: "call.link", room: "r", call: 140, ...link(1) });
    expect(folded.now?.links).toEqual([link(2)]);
    expect(farEnd(link(2), "ada")).toBe("ben");
    folded = applyEvent(folded, event({ type: "call.left", call: 140, session: "ben", user: "ben", reason: "lost" }));
    expect(folded.now?.links).toEqual([]);
  });
});

describe("the numbers of a link", () => {
  const signal: Signal = { kind: "dropped" };

  it("says what is new once, and everything again when it was not confirmed in time", () => {
    const clock = new FakeClock();
    const said = new Sayings(clock);
    expect([said.add(signal), said.add(signal)]).toEqual([1, 2]);
    expect(said.due().map(({ n }) => n)).toEqual([1, 2]);
    expect(said.due()).toEqual([]);
    said.add(signal);
    expect(said.due().map(({ n }) => n)).toEqual([3]);
    clock.time += AGAIN_MS;
    expect(said.due().map(({ n }) => n)).toEqual([1, 2, 3]);
    said.confirmed(2);
    said.again();
    expect(said.due().map(({ n }) => n)).toEqual([3]);
    said.confirmed(3);
    expect(said.isSettled).toBe(true);
  });

  it("has at most 128 on the way", () => {
    const said = new Sayings(new FakeClock());
    for (let n = 0; n < 130; n += 1) said.add(signal);
    expect(said.due()).toHaveLength(128);
    said.confirmed(1);
    expect(said.due().map(({ n }) => n)).toEqual([129]);
  });

  it("hears each signal once and in order, whatever comes", () => {
    let random = 20_251_121;
    const next = (below: number) => {
      random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor(random / 256) % below;
    };
    const heard = new Hearings();
    const handled: number[] = [];
    for (let turn = 0; turn < 10_000 && handled.length < 50; turn += 1) {
      const n = next(50) + 1;
      if (!heard.take(n)) continue;
      handled.push(n);
      heard.done(n);
    }
    expect(handled).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(heard.handled).toBe(50);
  });
});

describe("what is measured", () => {
  const stats = (received: number, lost: number, freezes: number): [string, unknown][] => [
    ["T", { type: "transport", id: "T", selectedCandidatePairId: "P" }],
    [
      "P",
      { type: "candidate-pair", id: "P", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: 0.04 },
    ],
    ["L", { type: "local-candidate", id: "L", candidateType: "host" }],
    ["R", { type: "remote-candidate", id: "R", candidateType: "relay" }],
    [
      "I",
      {
        type: "inbound-rtp",
        id: "I",
        packetsReceived: received,
        packetsLost: lost,
        bytesReceived: received * 1_000,
        totalFreezesDuration: freezes,
        framesDecoded: received,
        jitter: 0.002,
      },
    ],
  ];

  it("is the growth between two looks", () => {
    const report = reportBetween("l", count(stats(100, 0, 0), 1_000), count(stats(190, 10, 0.5), 2_000));
    expect(report).toEqual({
      link: "l",
      rtt_ms: 40,
      loss: 0.1,
      jitter_ms: 2,
      in_bps: 720_000,
      out_bps: 0,
      frozen_ms: 500,
      relayed: true,
    });
  });
});
