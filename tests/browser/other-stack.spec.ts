// Chromium and an independent WebRTC stack in one call, by the signaling alone: data and media both ways.
import { FAKE_DEVICES, isInCall, joinCall, seesAll, stage } from "./calls.ts";
import { OtherStack } from "./other-stack.ts";
import { test as base, expect, type Person } from "./people.ts";
import config from "./playwright.config.ts";

const test = base.extend<{ ada: Person; other: (start: boolean) => OtherStack }>({
  /** Whose page lets the test see its connections and their data channels. */
  ada: async ({ people }, use) => {
    const ada = await people("Ada", { permissions: ["camera", "microphone"] });
    await ada.page.addInitScript(() => {
      const made: RTCPeerConnection[] = [];
      const channels: RTCDataChannel[] = [];
      const words: string[] = [];
      const Original = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Original {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          made.push(this);
          const open = (channel: RTCDataChannel) => {
            channels.push(channel);
            channel.onmessage = ({ data }) => words.push(String(data));
          };
          this.addEventListener("datachannel", ({ channel }) => open(channel));
          // Each side brings one, for calls themselves have none; whoever offers first brings the section.
          open(this.createDataChannel("words of the page"));
        }
      };
      Object.assign(window, { seen: { made, channels, words } });
    });
    await ada.page.reload();
    await ada.isIn();
    await use(ada);
  },

  other: async ({ server }, use) => {
    const all: OtherStack[] = [];
    await use((start) => {
      const other = OtherStack.join(server, { start });
      all.push(other);
      return other;
    });
    for (const other of all) await other.stop();
  },
});

const launch = config.use?.launchOptions;
const loopback = "--allow-loopback-in-peer-connection";
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES, loopback] } });

declare global {
  interface Window {
    seen: { made: RTCPeerConnection[]; channels: RTCDataChannel[]; words: string[] };
  }
}

/** Pictures and sound are decoded here and received there, and go on. */
async function seeEachOther(ada: Person, other: OtherStack): Promise<void> {
  await isInCall(ada, 2);
  await Promise.all([seesAll(ada, 1), other.receives()]);
}

/** Words pass in both directions. */
async function speak(ada: Person, other: OtherStack): Promise<void> {
  const isOpen = () => ada.page.evaluate(() => window.seen.channels.some(({ readyState }) => readyState === "open"));
  await expect.poll(isOpen).toBe(true);
  const own = `from the browser ${other.told.length}`;
  await ada.page.evaluate((words) => {
    window.seen.channels.findLast(({ readyState }) => readyState === "open")?.send(words);
  }, own);
  await other.tells("words", ({ words }) => words === own);
  // It says every word again.
  await expect.poll(() => ada.page.evaluate(() => window.seen.words.at(-1))).toBe(own);
}

const look = (ada: Person) =>
  ada.page.evaluate(() => {
    const { made } = window.seen;
    const pc = made.at(-1);
    const name = (text: string | undefined) => /a=ice-ufrag:(\S+)/.exec(text ?? "")?.[1] ?? "";
    return {
      count: made.length,
      signaling: pc?.signalingState,
      own: name(pc?.localDescription?.sdp),
      far: name(pc?.remoteDescription?.sdp),
    };
  });

for (const [who, start] of [
  ["the browser", true],
  ["the other stack", false],
] as const) {
  test(`data and media pass both ways when ${who} came later and offers first`, async ({ ada, other }) => {
    const stack = other(start);
    if (!start) await joinCall(ada);
    await stack.tells("joined");
    if (start) await joinCall(ada);
    expect((await stack.tells("linked")).polite).toBe(!start);
    await stack.tells("up");
    await seeEachOther(ada, stack);
    await speak(ada, stack);
    expect((await look(ada)).count).toBe(1);
    stack.order("leave");
    await expect(ada.page.getByTestId("tile")).toHaveCount(1);
  });
}

for (const [who, start] of [
  ["the browser", true],
  ["the other stack", false],
] as const) {
  test(`both negotiate at once and settle, ${who} giving way`, async ({ ada, other }) => {
    const stack = other(start);
    if (!start) await joinCall(ada);
    await stack.tells("joined");
    if (start) await joinCall(ada);
    await stack.tells("up");
    await seeEachOther(ada, stack);
    await speak(ada, stack);
    for (let round = 1; round <= 20; round += 1) {
      // A share that comes and goes opens and closes a section, which is a negotiation.
      stack.order("renegotiate");
      await stage(ada).press("s");
      await stack.tells("settled");
      await expect.poll(async () => (await look(ada)).signaling, { message: `round ${round}` }).toBe("stable");
    }
    await seeEachOther(ada, stack);
    // By negotiation alone: no connection was given up for a new one.
    expect((await look(ada)).count).toBe(1);
  });
}

test("the other stack asks for a new life of the link, and both begin anew", async ({ ada, other }) => {
  const stack = other(true);
  await stack.tells("joined");
  await joinCall(ada);
  await stack.tells("up");
  await seeEachOther(ada, stack);
  stack.order("relink");
  expect((await stack.tells("linked")).epoch).toBe(2);
  await stack.tells("up");
  await seeEachOther(ada, stack);
  await speak(ada, stack);
  expect((await look(ada)).count).toBe(2);
});

for (const who of ["the browser", "the other stack"]) {
  test(`${who} begins ICE anew, and the connection stays`, async ({ ada, other }) => {
    const stack = other(true);
    await stack.tells("joined");
    await joinCall(ada);
    await stack.tells("up");
    await seeEachOther(ada, stack);
    const before = await look(ada);
    if (who === "the browser") await ada.page.evaluate(() => dispatchEvent(new Event("online")));
    else stack.order("restart");
    await expect
      .poll(async () => {
        const now = await look(ada);
        return now.signaling === "stable" && now.own !== before.own && now.far !== before.far;
      })
      .toBe(true);
    await seeEachOther(ada, stack);
    await speak(ada, stack);
    expect((await look(ada)).count).toBe(1);
  });
}
