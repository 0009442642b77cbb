// What works here, before the call: the socket, STUN, each way to the relay, camera and microphone. Each result is a
// code, so that the page has the words; nothing here is shown to anybody.
import { type Clock, systemClock } from "./clock.ts";
import { SUBPROTOCOL } from "./protocol.ts";

/** What `GET /v1/check` answers. */
export interface ConnectionCheck {
  user: string;
  /** The server's time, milliseconds since the Unix epoch. */
  at: number;
  /** The address that the server sees. */
  address: string;
  /** Whether TLS protects the way. */
  secure: boolean;
  origin?: string;
  /** The path of the WebSocket. */
  websocket: string;
  token_expires_at: number;
  ice: { servers: CheckedServer[]; expires_at?: number };
}

export interface CheckedServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/** What is looked at. */
export type CheckName = "websocket" | "clock" | "stun" | "turn_udp" | "turn_tcp" | "turn_tls" | "camera" | "microphone";

/**
 * Why something does not work, or was not tried.
 *
 * - `timeout`: no answer in time; `unreachable`: the network or the server refused.
 * - `unauthorized`: the relay does not take the credentials: the secrets or the clocks differ.
 * - `quota`: the relay has no room for this user.
 * - `no_echo`: the relay answers, but lets nothing through: its ports are closed to the world.
 * - `clock_off`: this machine's clock is minutes wrong.
 * - `not_configured`: the operator has set up no such server.
 * - `unsupported`: this browser cannot.
 * - `insecure`: browsers give no device to a page without TLS.
 * - `embedded`: the page stands in a frame whose `allow` list does not have the device.
 * - `denied`: the user or the system said no.
 * - `no_device`: there is none; `in_use`: another program has it.
 * - `failed`: something else; `detail` has the words for the developer.
 */
export type CheckReason =
  | "timeout"
  | "unreachable"
  | "unauthorized"
  | "quota"
  | "no_echo"
  | "clock_off"
  | "not_configured"
  | "unsupported"
  | "insecure"
  | "embedded"
  | "denied"
  | "no_device"
  | "in_use"
  | "failed";

export interface CheckResult {
  name: CheckName;
  /** `skipped` is no fault: there is nothing to try. */
  status: "ok" | "failed" | "skipped";
  reason?: CheckReason;
  /** The server that was tried, without credentials. */
  url?: string;
  /** How long it took; for the relays and the socket a round trip is in it. */
  ms: number;
  /** For the developer. */
  detail?: string;
}

/** `blocked`: no call will come about. `limited`: something is missing. `good`: everything that was tried works. */
export type CheckVerdict = "good" | "limited" | "blocked";

export interface CheckReport {
  results: CheckResult[];
  verdict: CheckVerdict;
}

/** The parts of a browser that are used; a test brings its own. */
export interface CheckBrowser {
  RTCPeerConnection?: new (configuration: RTCConfiguration) => RTCPeerConnection;
  WebSocket?: new (url: string, protocols: string) => WebSocket;
  mediaDevices?: Pick<MediaDevices, "getUserMedia">;
  isSecureContext: boolean;
  /** Whether the frame that the page stands in lets it have the device. */
  allows(device: "camera" | "microphone"): boolean;
}

export interface CheckOptions {
  /** What the server said. */
  check: ConnectionCheck;
  /** The server, `https://app.example` or with its prefix's origin; the path of the socket is in `check`. */
  origin: string;
  /** Told as each result comes; they come in any order. */
  onResult?: (result: CheckResult) => void;
  /** Which to look at; all without it. */
  only?: readonly CheckName[];
  /** For each: 10 s without it. */
  timeoutMs?: number;
  browser?: CheckBrowser;
  clock?: Clock;
}

/** Clocks further apart than this make tokens and credentials look expired. */
const CLOCK_OFF_MS = 120_000;
const TIMEOUT_MS = 10_000;
const ALL: readonly CheckName[] = [
  "websocket",
  "clock",
  "stun",
  "turn_udp",
  "turn_tcp",
  "turn_tls",
  "camera",
  "microphone",
];
/** STUN's error codes (RFC 8656, section 19), and the browser's own for a server that cannot be reached. */
const CODES: Readonly<Record<number, CheckReason>> = {
  401: "unauthorized",
  403: "no_echo",
  486: "quota",
  508: "quota",
};

/** Thrown inside a check: why it failed. */
class Failure extends Error {
  readonly reason: CheckReason;
  readonly url: string | undefined;
  constructor(reason: CheckReason, detail = "", url?: string) {
    super(detail);
    this.reason = reason;
    this.url = url;
  }
}

/** Looks at everything, side by side; never throws. */
export async function runChecks(options: CheckOptions): Promise<CheckReport> {
  const browser = options.browser ?? thisBrowser();
  const clock = options.clock ?? systemClock;
  const wanted = ALL.filter((name) => !options.only || options.only.includes(name));
  const context: Context = { ...options, browser, clock, timeoutMs: options.timeoutMs ?? TIMEOUT_MS };
  const look = async (name: CheckName): Promise<CheckResult> => {
    const result = await lookAt(name, context);
    options.onResult?.(result);
    return result;
  };
  // Camera and microphone one after the other: two prompts at once confuse people, and some browsers.
  const isDevice = (name: CheckName) => name === "camera" || name === "microphone";
  const inTurn = async (): Promise<CheckResult[]> => {
    const results: CheckResult[] = [];
    for (const name of wanted.filter(isDevice)) results.push(await look(name));
    return results;
  };
  const [own, ...rest] = await Promise.all([inTurn(), ...wanted.filter((name) => !isDevice(name)).map(look)]);
  const results = [...rest, ...own].sort((a, b) => ALL.indexOf(a.name) - ALL.indexOf(b.name));
  return { results, verdict: verdict(results) };
}

function verdict(results: readonly CheckResult[]): CheckVerdict {
  const is = (name: CheckName) => results.find((result) => result.name === name)?.status;
  const ways = results.filter(({ name }) => name === "stun" || name.startsWith("turn_"));
  const tried = ways.filter(({ status }) => status !== "skipped");
  if (is("websocket") === "failed" || (tried.length > 0 && tried.every(({ status }) => status === "failed")))
    return "blocked";
  return results.some(({ status }) => status === "failed") ? "limited" : "good";
}

type Context = CheckOptions & Required<Pick<CheckOptions, "browser" | "clock" | "timeoutMs">>;

async function lookAt(name: CheckName, context: Context): Promise<CheckResult> {
  const start = context.clock.now();
  const done = (fields: Omit<CheckResult, "name" | "ms">): CheckResult => {
    return { name, ...fields, ms: context.clock.now() - start };
  };
  try {
    const url = await CHECKS[name](context);
    return done(url === undefined ? { status: "ok" } : { status: "ok", url });
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure("failed", String(error));
    return done({
      status: failure.reason === "not_configured" ? "skipped" : "failed",
      reason: failure.reason,
      ...(failure.url === undefined ? {} : { url: failure.url }),
      ...(failure.message ? { detail: failure.message } : {}),
    });
  }
}

const CHECKS: Readonly<Record<CheckName, (context: Context) => Promise<string | undefined>>> = {
  websocket: checkSocket,
  clock: async ({ check, clock }) => {
    const off = Math.round((clock.now() - check.at) / 1000);
    if (Math.abs(off) * 1000 > CLOCK_OFF_MS) throw new Failure("clock_off", `${off} s`);
    return undefined;
  },
  stun: checkStun,
  turn_udp: (context) => checkRelay(context, (url) => /^turn:/.test(url) && !/[?&]transport=tcp/.test(url)),
  turn_tcp: (context) => checkRelay(context, (url) => /^turn:.*[?&]transport=tcp/.test(url)),
  turn_tls: (context) => checkRelay(context, (url) => /^turns:/.test(url)),
  camera: (context) => checkDevice(context, "camera"),
  microphone: (context) => checkDevice(context, "microphone"),
};

/** Runs `attempt` until it settles or the time is over; `end` is called either way. */
function within<T>(
  { clock, timeoutMs }: Context,
  late: () => Failure,
  attempt: (resolve: (value: T) => void, reject: (failure: Failure) => void) => () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let end: (() => void) | undefined;
    let settled = false;
    const settle = (run: () => void) => {
      if (settled) return;
      settled = true;
      clock.clearTimeout(timer);
      end?.();
      run();
    };
    const timer = clock.setTimeout(() => settle(() => reject(late())), timeoutMs);
    end = attempt(
      (value) => settle(() => resolve(value)),
      (failure) => settle(() => reject(failure)),
    );
    // It may have settled before there was anything to end.
    if (settled) end();
  });
}

/** A socket opens, and frames go both ways: a command before `hello` is answered by a refusal. */
function checkSocket(context: Context): Promise<string | undefined> {
  const { browser, check, origin } = context;
  const { WebSocket } = browser;
  if (!WebSocket) throw new Failure("unsupported");
  const url = `${origin.replace(/^http/, "ws")}${check.websocket}`;
  let open = false;
  const late = () => new Failure("timeout", open ? "it opened, but nothing came through" : "it did not open", url);
  return within(context, late, (resolve, reject) => {
    const socket = new WebSocket(url, SUBPROTOCOL);
    socket.onopen = () => {
      open = true;
      socket.send(JSON.stringify({ type: "ping", id: 1 }));
    };
    socket.onmessage = () => resolve(url);
    socket.onerror = () => reject(new Failure("unreachable", "", url));
    socket.onclose = ({ code }) => reject(new Failure("unreachable", `closed with ${code}`, url));
    return () => socket.close();
  });
}

const urlsOf = (check: ConnectionCheck, wanted: (url: string) => boolean): [string, CheckedServer][] =>
  check.ice.servers.flatMap((server) =>
    server.urls.filter(wanted).map((url): [string, CheckedServer] => [url, server]),
  );

/** A STUN server says which address it sees. A TURN server is one too. */
async function checkStun(context: Context): Promise<string | undefined> {
  const { check } = context;
  const own = urlsOf(check, (url) => /^stuns?:/.test(url));
  const relays = urlsOf(check, (url) => /^turn:/.test(url) && !/[?&]transport=tcp/.test(url));
  const asStun = relays.map(([url, server]): [string, CheckedServer] => [
    url.replace(/^turn:/, "stun:").replace(/\?.*$/, ""),
    { ...server },
  ]);
  return firstOf([...own, ...asStun], (url) => askStun(context, url));
}

/** The first that works; else why the first did not. */
async function firstOf<T>(servers: [string, T][], attempt: (url: string, server: T) => Promise<void>): Promise<string> {
  let first: unknown;
  for (const [url, server] of servers) {
    try {
      await attempt(url, server);
      return url;
    } catch (error) {
      first ??= error;
    }
  }
  throw first ?? new Failure("not_configured");
}

function peer(context: Context, configuration: RTCConfiguration, url: string): RTCPeerConnection {
  const { RTCPeerConnection } = context.browser;
  if (!RTCPeerConnection) throw new Failure("unsupported");
  try {
    return new RTCPeerConnection(configuration);
  } catch (error) {
    throw new Failure("failed", String(error), url);
  }
}

function askStun(context: Context, url: string): Promise<void> {
  let problem: Failure | undefined;
  const late = () => problem ?? new Failure("timeout", "", url);
  return within(context, late, (resolve, reject) => {
    const pc = peer(context, { iceServers: [{ urls: [url] }] }, url);
    pc.onicecandidateerror = (event) => {
      problem = iceFailure(event, url);
    };
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.type === "srflx") resolve();
      // The end of candidates. An address that is public already is not told twice, so silence is an answer too.
      else if (!candidate) problem ? reject(problem) : resolve();
    };
    pc.createDataChannel("check");
    pc.setLocalDescription().catch((error) => reject(new Failure("failed", String(error), url)));
    return () => pc.close();
  });
}

function iceFailure(event: Pick<RTCPeerConnectionIceErrorEvent, "errorCode" | "errorText">, url: string): Failure {
  return new Failure(CODES[event.errorCode] ?? "unreachable", `${event.errorCode} ${event.errorText}`.trim(), url);
}

/** Two connections of this page speak to each other through the relay alone. */
async function checkRelay(context: Context, wanted: (url: string) => boolean): Promise<string | undefined> {
  return firstOf(urlsOf(context.check, wanted), (url, server) => echo(context, url, server));
}

function echo(context: Context, url: string, { username, credential }: CheckedServer): Promise<void> {
  const server: RTCIceServer = { urls: [url] };
  if (username !== undefined) server.username = username;
  if (credential !== undefined) server.credential = credential;
  let problem: Failure | undefined;
  let relayed = false;
  const late = () =>
    relayed ? new Failure("no_echo", problem?.message, url) : (problem ?? new Failure("timeout", "", url));
  return within(context, late, (resolve, reject) => {
    const configuration: RTCConfiguration = { iceServers: [server], iceTransportPolicy: "relay" };
    const near = peer(context, configuration, url);
    const far = peer(context, configuration, url);
    const ended = { near: false, far: false };
    const join = (from: RTCPeerConnection, to: RTCPeerConnection, side: "near" | "far") => {
      from.onicecandidateerror = (event) => {
        problem ??= iceFailure(event, url);
      };
      from.onicecandidate = ({ candidate }) => {
        if (candidate) {
          relayed ||= candidate.type === "relay";
          to.addIceCandidate(candidate).catch(() => undefined);
          return;
        }
        ended[side] = true;
        // Nothing was gathered and nothing will be.
        if (ended.near && ended.far && !relayed) reject(problem ?? new Failure("unreachable", "", url));
      };
      from.onconnectionstatechange = () => {
        if (from.connectionState === "failed") reject(new Failure("no_echo", problem?.message, url));
      };
    };
    const channel = near.createDataChannel("check");
    channel.onopen = () => channel.send("echo");
    channel.onmessage = () => resolve();
    far.ondatachannel = ({ channel }) => {
      channel.onmessage = ({ data }) => channel.send(data);
    };
    negotiate(near, far, () => {
      join(near, far, "near");
      join(far, near, "far");
    }).catch((error) => reject(new Failure("failed", String(error), url)));
    return () => {
      near.close();
      far.close();
    };
  });
}

/** Candidates are gathered after each local description, so the far side's wait until it knows the near one's. */
async function negotiate(near: RTCPeerConnection, far: RTCPeerConnection, listen: () => void): Promise<void> {
  const offer = await near.createOffer();
  await far.setRemoteDescription(offer);
  const answer = await far.createAnswer();
  listen();
  await near.setLocalDescription(offer);
  await near.setRemoteDescription(answer);
  await far.setLocalDescription(answer);
}

const DEVICE_ERRORS: Readonly<Record<string, CheckReason>> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "no_device",
  OverconstrainedError: "no_device",
  NotReadableError: "in_use",
  AbortError: "in_use",
};

async function checkDevice(context: Context, device: "camera" | "microphone"): Promise<string | undefined> {
  const { browser } = context;
  if (!browser.isSecureContext) throw new Failure("insecure");
  if (!browser.allows(device)) throw new Failure("embedded");
  if (!browser.mediaDevices) throw new Failure("unsupported");
  let stream: MediaStream;
  try {
    // No time limit: a user may think about the prompt for as long as they like.
    stream = await browser.mediaDevices.getUserMedia(device === "camera" ? { video: true } : { audio: true });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    throw new Failure(DEVICE_ERRORS[name] ?? "failed", message);
  }
  const live = stream.getTracks().some((track) => track.readyState === "live");
  for (const track of stream.getTracks()) track.stop();
  if (!live) throw new Failure("in_use", "the device gave a track that had ended");
  return undefined;
}

/** Chromium's view of the `allow` list of the frame; Firefox and Safari have none and say `denied` instead. */
interface Policy {
  allowsFeature(feature: string): boolean;
}

function thisBrowser(): CheckBrowser {
  const { document } = globalThis as { document?: { featurePolicy?: Policy; permissionsPolicy?: Policy } };
  const policy = document?.permissionsPolicy ?? document?.featurePolicy;
  const browser: CheckBrowser = {
    isSecureContext: globalThis.isSecureContext === true,
    allows: (device) => policy?.allowsFeature(device) ?? true,
  };
  if (globalThis.RTCPeerConnection) browser.RTCPeerConnection = globalThis.RTCPeerConnection;
  if (globalThis.WebSocket) browser.WebSocket = globalThis.WebSocket;
  if (globalThis.navigator?.mediaDevices) browser.mediaDevices = globalThis.navigator.mediaDevices;
  return browser;
}
