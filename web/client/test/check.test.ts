import { expect, test } from "vitest";
import { type CheckBrowser, type CheckName, type CheckResult, type ConnectionCheck, runChecks } from "../src/check.ts";

/** What stands behind an address. */
type Behind = "works" | "closed" | "silent" | "unreachable" | 401 | 486;

/** Connections whose servers do as they are told; a pair of them reaches each other where the relay works. */
class FakePeer {
  static behind: Record<string, Behind> = {};
  static open = 0;
  onicecandidate: ((event: { candidate: { type: string } | null }) => void) | null = null;
  onicecandidateerror: ((event: { errorCode: number; errorText: string }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ondatachannel: ((event: { channel: FakeChannel }) => void) | null = null;
  connectionState = "new";
  readonly #url: string;
  readonly #isRelay: boolean;
  #channel: FakeChannel | undefined;

  constructor(configuration: RTCConfiguration) {
    const [server] = configuration.iceServers ?? [];
    this.#url = String(server?.urls);
    this.#isRelay = configuration.iceTransportPolicy === "relay";
    if (this.#isRelay && server?.credential === undefined) throw new TypeError("no credential");
    FakePeer.open += 1;
  }
  createDataChannel(): FakeChannel {
    this.#channel = new FakeChannel();
    return this.#channel;
  }
  async createOffer() {
    return { type: "offer", from: this };
  }
  async createAnswer() {
    return { type: "answer", from: this };
  }
  async setRemoteDescription() {}
  async setLocalDescription() {
    await null;
    const behind = FakePeer.behind[this.#url] ?? "silent";
    if (behind === "silent") return;
    if (behind === "unreachable") this.onicecandidateerror?.({ errorCode: 701, errorText: "no route" });
    else if (typeof behind === "number") this.onicecandidateerror?.({ errorCode: behind, errorText: "no" });
    else this.onicecandidate?.({ candidate: { type: this.#isRelay ? "relay" : "srflx" } });
    this.onicecandidate?.({ candidate: null });
  }
  async addIceCandidate() {
    if (FakePeer.behind[this.#url] === "works") {
      queueMicrotask(() => this.#channel?.onopen?.());
    } else {
      this.connectionState = "failed";
      this.onconnectionstatechange?.();
    }
  }
  close() {
    FakePeer.open -= 1;
  }
}

/** What is sent comes back, as the far side's page would have it. */
class FakeChannel {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  send(data: string) {
    this.onmessage?.({ data });
  }
}

class FakeSocket {
  static does: "answers" | "opens" | "refuses" | "nothing" = "answers";
  static open = 0;
  static urls: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: object) => void) | null = null;
  onerror: (() => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor(url: string, protocol: string) {
    FakeSocket.urls.push(`${url} ${protocol}`);
    FakeSocket.open += 1;
    queueMicrotask(() => {
      if (FakeSocket.does === "refuses") this.onerror?.();
      if (FakeSocket.does === "answers" || FakeSocket.does === "opens") this.onopen?.();
    });
  }
  send() {
    if (FakeSocket.does === "answers") queueMicrotask(() => this.onmessage?.({}));
  }
  close() {
    FakeSocket.open -= 1;
  }
}

/** Time that jumps to the next timer when nothing else happens. */
class JumpingClock {
  #now = 1_000_000;
  readonly #timers = new Map<number, { at: number; run: () => void }>();
  #next = 1;
  now = () => this.#now;
  random = () => 0;
  setTimeout = (run: () => void, ms: number) => {
    this.#timers.set(this.#next, { at: this.#now + ms, run });
    return this.#next++;
  };
  clearTimeout = (handle: unknown) => void this.#timers.delete(handle as number);
  get waiting() {
    return this.#timers.size;
  }
  jump() {
    const due = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0];
    if (!due) return;
    this.#timers.delete(due[0]);
    this.#now = due[1].at;
    due[1].run();
  }
}

const TURN = ["turn:r:1?transport=udp", "turn:r:1?transport=tcp", "turns:r:2?transport=tcp"];
const said = (fields: Partial<ConnectionCheck> = {}): ConnectionCheck => ({
  user: "ada",
  at: 1_000_000,
  address: "192.0.2.7",
  secure: true,
  websocket: "/stoa/v1/ws",
  token_expires_at: 2_000_000,
  ice: { servers: [{ urls: ["stun:s"] }, { urls: TURN, username: "u", credential: "c" }] },
  ...fields,
});

const tracks = (readyState = "live") => {
  const stopped: string[] = [];
  const stream = { getTracks: () => [{ readyState, stop: () => stopped.push("stopped") }] };
  return { stream: stream as unknown as MediaStream, stopped };
};

const browser = (fields: Partial<CheckBrowser> = {}): CheckBrowser => ({
  RTCPeerConnection: FakePeer as unknown as new (configuration: RTCConfiguration) => RTCPeerConnection,
  WebSocket: FakeSocket as unknown as new (url: string) => WebSocket,
  mediaDevices: { getUserMedia: async () => tracks().stream },
  isSecureContext: true,
  allows: () => true,
  ...fields,
});

async function run(
  behind: Record<string, Behind>,
  {
    only,
    check = said(),
    with: own = {},
  }: { only?: CheckName[]; check?: ConnectionCheck; with?: Partial<CheckBrowser> } = {},
) {
  FakePeer.behind = behind;
  FakePeer.open = 0;
  FakeSocket.open = 0;
  FakeSocket.urls = [];
  const clock = new JumpingClock();
  const told: CheckResult[] = [];
  let over = false;
  const options = { check, origin: "https://app.example", clock, browser: browser(own) };
  const report = runChecks({ ...options, ...(only ? { only } : {}), onResult: (result) => told.push(result) });
  void report.then(() => {
    over = true;
  });
  while (!over) {
    // Whatever can happen without time happens first.
    for (let turn = 0; turn < 50 && !over; turn++) await Promise.resolve();
    if (!over) clock.jump();
  }
  const { results, verdict } = await report;
  expect(clock.waiting).toBe(0);
  expect(FakePeer.open).toBe(0);
  expect(FakeSocket.open).toBe(0);
  expect([...told].sort((a, b) => a.name.localeCompare(b.name))).toEqual(
    [...results].sort((a, b) => a.name.localeCompare(b.name)),
  );
  const brief = Object.fromEntries(results.map(({ name, status, reason }) => [name, reason ?? status]));
  return { results, verdict, brief };
}

const WORKS: Record<string, Behind> = Object.fromEntries(["stun:s", ...TURN].map((url) => [url, "works"]));

test("where everything works every way is tried and the verdict is good", async () => {
  const { brief, verdict, results } = await run(WORKS);
  expect(brief).toEqual({
    websocket: "ok",
    clock: "ok",
    stun: "ok",
    turn_udp: "ok",
    turn_tcp: "ok",
    turn_tls: "ok",
    camera: "ok",
    microphone: "ok",
  });
  expect(verdict).toBe("good");
  expect(FakeSocket.urls).toEqual(["wss://app.example/stoa/v1/ws stoa.v1"]);
  expect(results.filter(({ url }) => url).map(({ url }) => url)).toEqual([
    "wss://app.example/stoa/v1/ws",
    "stun:s",
    ...TURN,
  ]);
});

test("each way to the relay says for itself why it does not work", async () => {
  const only: CheckName[] = ["turn_udp", "turn_tcp", "turn_tls"];
  const [udp, tcp, tls] = TURN as [string, string, string];
  const { brief, verdict } = await run({ [udp]: "unreachable", [tcp]: 401, [tls]: "works" }, { only });
  expect(brief).toEqual({ turn_udp: "unreachable", turn_tcp: "unauthorized", turn_tls: "ok" });
  expect(verdict).toBe("limited");
  const worse = await run({ [udp]: "silent", [tcp]: "closed", [tls]: 486 }, { only });
  expect(worse.brief).toEqual({ turn_udp: "timeout", turn_tcp: "no_echo", turn_tls: "quota" });
  expect(worse.verdict).toBe("blocked");
});

test("a relay answers for STUN where no STUN server is configured", async () => {
  const check = said({ ice: { servers: [{ urls: TURN, username: "u", credential: "c" }] } });
  const { brief, results } = await run({ "stun:r:1": "works" }, { check, only: ["stun"] });
  expect(brief).toEqual({ stun: "ok" });
  expect(results[0]?.url).toBe("stun:r:1");
});

test("without servers there is nothing to try, and that is no fault", async () => {
  const { brief, verdict } = await run({}, { check: said({ ice: { servers: [] } }) });
  expect(brief).toMatchObject({
    stun: "not_configured",
    turn_udp: "not_configured",
    turn_tcp: "not_configured",
    turn_tls: "not_configured",
  });
  expect(verdict).toBe("good");
});

test("a socket that opens and carries nothing is told from one that does not open", async () => {
  const only: CheckName[] = ["websocket"];
  for (const [does, reason, detail] of [
    ["refuses", "unreachable", undefined],
    ["opens", "timeout", "it opened, but nothing came through"],
    ["nothing", "timeout", "it did not open"],
  ] as const) {
    FakeSocket.does = does;
    const { results, verdict } = await run({}, { only });
    expect([results[0]?.reason, results[0]?.detail]).toEqual([reason, detail]);
    expect(verdict).toBe("blocked");
  }
  FakeSocket.does = "answers";
});

test("a clock that is minutes off is told, with the difference", async () => {
  const { results } = await run({}, { check: said({ at: 1_000_000 - 600_000 }), only: ["clock"] });
  expect(results[0]).toMatchObject({ status: "failed", reason: "clock_off", detail: "600 s" });
  expect((await run({}, { check: said({ at: 1_000_000 + 60_000 }), only: ["clock"] })).brief).toEqual({ clock: "ok" });
});

test("a device says why it cannot be used, and is given back", async () => {
  const only: CheckName[] = ["camera"];
  const refusing = (name: string) => ({
    mediaDevices: { getUserMedia: () => Promise.reject(Object.assign(new Error("no"), { name })) },
  });
  for (const [own, reason] of [
    [refusing("NotAllowedError"), "denied"],
    [refusing("NotFoundError"), "no_device"],
    [refusing("NotReadableError"), "in_use"],
    [refusing("TypeError"), "failed"],
    [{ isSecureContext: false }, "insecure"],
    [{ allows: () => false }, "embedded"],
    [{ mediaDevices: { getUserMedia: async () => tracks("ended").stream } }, "in_use"],
  ] as const) {
    expect((await run({}, { only, with: own })).brief).toEqual({ camera: reason });
  }
  const { stream, stopped } = tracks();
  expect((await run({}, { only, with: { mediaDevices: { getUserMedia: async () => stream } } })).brief.camera).toBe(
    "ok",
  );
  expect(stopped).toEqual(["stopped"]);
});

test("camera and microphone are asked for one after the other", async () => {
  let asking = 0;
  const getUserMedia = async () => {
    asking += 1;
    expect(asking).toBe(1);
    await Promise.resolve();
    asking -= 1;
    return tracks().stream;
  };
  const { brief } = await run({}, { only: ["camera", "microphone"], with: { mediaDevices: { getUserMedia } } });
  expect(brief).toEqual({ camera: "ok", microphone: "ok" });
});

test("a browser without the parts is told so", async () => {
  const bare: CheckBrowser = { isSecureContext: true, allows: () => true };
  const report = await runChecks({
    check: said(),
    origin: "https://app.example",
    browser: bare,
    clock: new JumpingClock(),
  });
  const reasons = report.results.filter(({ name }) => name !== "clock").map(({ reason }) => reason);
  expect(new Set(reasons)).toEqual(new Set(["unsupported"]));
});
