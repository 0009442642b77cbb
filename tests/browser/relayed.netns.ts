// Two browsers in networks that cannot reach each other call through the relay, with the configuration that is shipped.
import { type Browser, chromium, expect, type Page, test } from "@playwright/test";
import { emptyPage, exchange, type IceServer, offer, picture, prepare } from "./bare.ts";
import { isInCall, joinCall, seesAll } from "./calls.ts";
import { Person } from "./people.ts";

const variable = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run tests/netns/run.sh npm --prefix tests/browser run relayed`);
  return value;
};

interface ConnectionCheck {
  ice: { servers: IceServer[] };
}

interface CheckReport {
  results: { name: string; status: string; reason?: string }[];
  verdict: string;
}

const url = variable("STOA_NETNS_URL");
const people = {
  alice: {
    browser: variable("STOA_NETNS_ALICE"),
    token: variable("STOA_NETNS_TOKEN_ALICE"),
  },
  bob: {
    browser: variable("STOA_NETNS_BOB"),
    token: variable("STOA_NETNS_TOKEN_BOB"),
  },
};

const browsers: Browser[] = [];

/** A page in the network of its person. The certificate is the harness' own; the camera shows moving colours. */
async function pageOf(name: keyof typeof people): Promise<Page> {
  const browser = await chromium.launch({
    executablePath: people[name].browser,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      `--ignore-certificate-errors-spki-list=${variable("STOA_NETNS_KEY")}`,
    ],
  });
  browsers.push(browser);
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    permissions: ["camera", "microphone"],
  });
  return context.newPage();
}

/** Asks the server as its user would, from the page. */
async function ask<T>(page: Page, name: keyof typeof people, method: string, path: string, body?: unknown): Promise<T> {
  return page.evaluate(
    async ([method, path, token, body]) => {
      const headers = {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      };
      const response = await fetch(path, { method, headers, body });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    [method, path, people[name].token, body === undefined ? null : JSON.stringify(body)] as const,
  );
}

test.afterEach(async () => {
  for (const browser of browsers.splice(0)) await browser.close();
});

/** Both in the page's call. */
async function call(alice: Person, bob: Person): Promise<void> {
  await emptyPage(alice.page, url);
  await ask(alice.page, "alice", "PUT", "/v1/rooms/relayed", { kind: "session", members: [{ user: "bob" }] });
  await alice.page.unrouteAll();
  for (const who of [alice, bob]) {
    const { token } = people[who.name as keyof typeof people];
    await who.goTo(`${url}/r/relayed#token=${token}`);
    await joinCall(who);
  }
  for (const who of [alice, bob]) await isInCall(who, 2);
}

/** Leaves the page no other way than relays of this scheme, and keeps its connections to be looked at. */
const onlyOver = (page: Page, scheme: string) =>
  page.addInitScript((scheme) => {
    const made: RTCPeerConnection[] = [];
    const left = (configuration: RTCConfiguration = {}): RTCConfiguration => ({
      ...configuration,
      // A host's own address would still reach the other's relay over UDP.
      iceTransportPolicy: "relay",
      iceServers: (configuration.iceServers ?? []).flatMap((server) => {
        const urls = [server.urls].flat().filter((url) => url.startsWith(`${scheme}:`));
        return urls.length > 0 ? [{ ...server, urls }] : [];
      }),
    });
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(left(configuration));
        made.push(this);
      }
      override setConfiguration(configuration?: RTCConfiguration) {
        super.setConfiguration(left(configuration));
      }
    };
    Object.assign(window, { made });
  }, scheme);

test("two whose networks do not reach each other see each other in the page's call, through the relay", async () => {
  const [alice, bob] = [new Person(await pageOf("alice"), "alice"), new Person(await pageOf("bob"), "bob")];
  await call(alice, bob);
  for (const who of [alice, bob]) {
    const stats = await who.page.evaluate(async () => [...((await window.stoa?.call?.stats())?.values() ?? [])]);
    // The local or the remote candidate of the pair that carries media is the relay's.
    expect(stats.map(({ relayed }) => relayed)).toEqual([true]);
  }
  // Decoded, and going on.
  await Promise.all([seesAll(alice, 1), seesAll(bob, 1)]);
});

test("where nothing but TLS passes, they see each other over turns: alone", async () => {
  const [alice, bob] = [new Person(await pageOf("alice"), "alice"), new Person(await pageOf("bob"), "bob")];
  for (const { page } of [alice, bob]) await onlyOver(page, "turns");
  await call(alice, bob);
  await Promise.all([seesAll(alice, 1), seesAll(bob, 1)]);
  for (const { page } of [alice, bob]) {
    const pair = await page.evaluate(async () => {
      // One that found no way in time may have been given up for another.
      const { made } = window as unknown as { made: RTCPeerConnection[] };
      const pc = made.find(({ connectionState }) => connectionState === "connected");
      const stats = new Map(await pc?.getStats());
      const transport = [...stats.values()].find(({ type }) => type === "transport");
      const pair = stats.get(transport?.selectedCandidatePairId);
      const local = stats.get(pair?.localCandidateId);
      return { local: local?.candidateType, over: local?.relayProtocol, url: local?.url };
    });
    expect(pair).toEqual({
      local: "relay",
      over: "tls",
      url: `turns:${variable("STOA_NETNS_RELAY")}:5349?transport=tcp`,
    });
  }
});

test("without a relay they do not reach each other", async () => {
  const [alice, bob] = [await pageOf("alice"), await pageOf("bob")];
  await emptyPage(alice, url);
  await emptyPage(bob, url);
  await prepare(alice, []);
  await prepare(bob, []);
  await offer(alice);
  await expect(async () => {
    await exchange(alice, bob);
    expect((await picture(alice)).state).toBe("failed");
  }).toPass({ intervals: [200], timeout: 90_000 });
  expect((await picture(alice)).frames).toBe(0);
});

test("the connection check finds every way that is there, and says why another is not", async () => {
  const page = await pageOf("alice");
  await emptyPage(page, url);
  const check = await ask<ConnectionCheck>(page, "alice", "GET", "/v1/check");
  expect(check).toMatchObject({
    user: "alice",
    address: "11.0.1.2",
    secure: true,
    websocket: "/v1/ws",
  });
  const run = (check: ConnectionCheck, only?: string[]) =>
    page.evaluate(
      async ([check, origin, only]) => {
        // The client that the server serves, as any page would load it.
        const { runChecks } = (await import(`${origin}/client/check.v1.js`)) as {
          runChecks(options: object): Promise<CheckReport>;
        };
        return runChecks({ check, origin, ...(only ? { only } : {}) });
      },
      [check, url, only] as const,
    );
  const brief = ({ results }: CheckReport) =>
    Object.fromEntries(results.map(({ name, status, reason }) => [name, reason ?? status]));

  const { verdict, ...report } = await run(check);
  expect(brief({ verdict, ...report })).toEqual({
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

  const relays = ["turn_udp", "turn_tcp", "turn_tls"];
  const forged = check.ice.servers.map((server) => ({
    ...server,
    credential: "forged",
  }));
  expect(brief(await run({ ...check, ice: { servers: forged } }, relays))).toEqual({
    turn_udp: "unauthorized",
    turn_tcp: "unauthorized",
    turn_tls: "unauthorized",
  });
  const nowhere = check.ice.servers.map((server) => ({
    ...server,
    urls: server.urls.map((url) => url.replace(/:(3478|5349)/, ":9")),
  }));
  const dead = await run({ ...check, ice: { servers: nowhere } }, ["stun", ...relays]);
  expect(dead.verdict).toBe("blocked");
  for (const { status, reason } of dead.results) {
    expect(status).toBe("failed");
    expect(["unreachable", "timeout"]).toContain(reason);
  }
});
