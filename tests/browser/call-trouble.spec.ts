// What a call has to come through by itself: reloads, cuts, a server that dies, and both sides renegotiating at once.
import { control, FAKE_DEVICES, frames, isInCall, joinCall, seesAll, stage, tile } from "./calls.ts";
import { Line } from "./line.ts";
import { expect, type Person, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({
  launchOptions: {
    ...launch,
    args: [...(launch?.args ?? []), ...FAKE_DEVICES],
  },
});

/** The page's own connections, for what only they can tell. */
const watch = (who: Person) =>
  who.page.addInitScript(() => {
    const made: RTCPeerConnection[] = [];
    const Original = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        made.push(this);
      }
    };
    Object.assign(window, { made });
  });
declare global {
  interface Window {
    made: RTCPeerConnection[];
  }
}

const both = async (one: Person, other: Person) => {
  for (const each of [one, other]) await isInCall(each, 2);
  await Promise.all([seesAll(one, 1), seesAll(other, 1)]);
};

test("who loads the page anew is in the call again without a click, and leaves no ghost", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await joinCall(ada);
  await joinCall(ben);
  await both(ada, ben);
  await stage(ben).press("m");
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await ben.page.reload();
  await both(ada, ben);
  // As it was: the camera on, the microphone not.
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await expect(tile(ada, "Ben").locator("video")).toHaveCount(1);
  await control(ben, "Unmute").click();
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "false");
  await control(ben, "Leave").click();
  await ben.page.reload();
  await expect(ben.page.getByTestId("join")).toBeVisible();
  await expect(ada.page.getByTestId("tile")).toHaveCount(1);
});

test("media goes on while a socket is cut for ten seconds, and what was said meanwhile arrives", async ({
  people,
  server,
}) => {
  const line = await Line.start(server.url);
  const ada = await people("Ada");
  const ben = await people("Ben", { baseURL: line.url });
  await watch(ada);
  await ada.page.reload();
  await joinCall(ada);
  await joinCall(ben);
  await both(ada, ben);
  const made = await ada.page.evaluate(() => window.made.length);

  line.cut();
  await expect(ben.page.getByTestId("call-notes")).toContainText("The server cannot be reached.");
  await control(ben, "Mute").click();
  for (let second = 0; second < 10; second += 1) {
    const before = [...(await frames(ada)), ...(await frames(ben))];
    // The given time of the cut, and frames rise in every part of it.
    await ben.page.waitForTimeout(1_000);
    const after = [...(await frames(ada)), ...(await frames(ben))];
    expect(after.every((count, link) => count > (before[link] ?? 0))).toBe(true);
  }
  line.mend();
  await expect(ben.status).toHaveText("Connected");
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await both(ada, ben);
  // The same connections: nothing was torn down and made anew.
  expect(await ada.page.evaluate(() => window.made.length)).toBe(made);
  await line.stop();
});

test("a server that is killed and comes back changes nothing of a call", async ({ people, server }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await joinCall(ada);
  await joinCall(ben);
  await both(ada, ben);
  await server.kill();
  for (const each of [ada, ben]) {
    await expect(each.page.getByTestId("call-notes")).toContainText("The server cannot be reached.");
  }
  await Promise.all([seesAll(ada, 1), seesAll(ben, 1)]);
  await server.start();
  for (const each of [ada, ben]) await expect(each.status).toHaveText("Connected");
  await both(ada, ben);
  await stage(ben).press("m");
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await ben.say("Still here");
  await expect(ada.message("Still here")).toBeVisible();
});

/** Somebody's socket with the test in between: it keeps an offer back until it is told, and counts offers that meet. */
class Post {
  /** Offers of the other side that came while an own one was on its way or waited for its answer. */
  met = 0;
  #keeps = false;
  #kept: (string | Buffer)[] = [];
  #offered: number | undefined;
  #heard = 0;
  #send: (frame: string | Buffer) => void = () => {};

  static async between(who: Person): Promise<Post> {
    const post = new Post();
    await who.page.routeWebSocket(/\/v1\/ws/, (page) => {
      const server = page.connectToServer();
      post.#send = (frame) => server.send(frame);
      page.onMessage((frame) => post.#said(frame));
      server.onMessage((frame) => {
        post.#hears(frame);
        page.send(frame);
      });
    });
    return post;
  }

  /** Keeps the next offer, and what is said after it. */
  keep(): void {
    this.#keeps = true;
  }

  get hasOffer(): boolean {
    return this.#kept.length > 0;
  }

  release(): void {
    this.#keeps = false;
    for (const frame of this.#kept.splice(0)) this.#pass(frame);
  }

  #said(frame: string | Buffer): void {
    if (this.hasOffer || (this.#keeps && signalOf(frame)?.kind === "offer")) this.#kept.push(frame);
    else this.#pass(frame);
  }

  #pass(frame: string | Buffer): void {
    const said = signalOf(frame);
    if (said?.kind === "offer") this.#offered = said.n;
    // The own offer was rolled back.
    if (said?.kind === "answer") this.#offered = undefined;
    this.#send(frame);
  }

  #hears(frame: string | Buffer): void {
    const heard = signalOf(frame);
    // One that was not confirmed in time comes again.
    if (heard === undefined || heard.n <= this.#heard) return;
    this.#heard = heard.n;
    if (heard.kind === "offer" && this.#offered !== undefined) this.met += 1;
    if (heard.kind === "answer" && heard.offer === this.#offered) this.#offered = undefined;
  }
}

interface Said {
  n: number;
  kind: string;
  offer?: number;
}

function signalOf(frame: string | Buffer): Said | undefined {
  if (typeof frame !== "string" || !frame.includes('"call.signal"')) return undefined;
  const { type, n, signal } = JSON.parse(frame) as {
    type: string;
    n: number;
    signal: Omit<Said, "n">;
  };
  return type === "call.signal" ? { n, ...signal } : undefined;
}

test("both sides renegotiate at once a hundred times, and always settle", async ({ people }) => {
  // Half a minute where nothing else runs.
  test.setTimeout(480_000);
  const ada = await people("Ada");
  const ben = await people("Ben");
  const posts: Post[] = [];
  for (const each of [ada, ben]) {
    posts.push(await Post.between(each));
    await watch(each);
    await each.page.reload();
  }
  await joinCall(ada);
  await joinCall(ben);
  await both(ada, ben);
  const look = (who: Person) =>
    who.page.evaluate(() => {
      const pc = window.made.at(-1);
      const names = (text: string | undefined) => /a=ice-ufrag:(\S+)/.exec(text ?? "")?.[1] ?? "";
      const [own, far] = [names(pc?.localDescription?.sdp), names(pc?.remoteDescription?.sdp)];
      return { count: window.made.length, state: pc?.signalingState, ice: pc?.connectionState, own, far };
    });
  let [before, beforeBen] = [await look(ada), await look(ben)];
  for (let round = 1; round <= 100; round += 1) {
    // What a change of the network does: both begin ICE anew. Neither's offer goes before the other's is made.
    for (const post of posts) post.keep();
    await Promise.all([ada, ben].map(({ page }) => page.evaluate(() => dispatchEvent(new Event("online")))));
    await expect
      .poll(() => posts.every(({ hasOffer }) => hasOffer), {
        message: `offers of round ${round}`,
        intervals: [20],
        timeout: 45_000,
      })
      .toBe(true);
    for (const post of posts) post.release();
    await expect
      .poll(
        async () => {
          const [a, b] = await Promise.all([look(ada), look(ben)]);
          // Who is not connected yet has nothing to begin anew.
          const isStable = [a, b].every(({ state, ice }) => state === "stable" && ice === "connected");
          return isStable && a.own === b.far && b.own === a.far && a.own !== before.own && b.own !== beforeBen.own;
        },
        { message: `round ${round}`, intervals: [20], timeout: 45_000 },
      )
      .toBe(true);
    [before, beforeBen] = await Promise.all([look(ada), look(ben)]);
  }
  console.log(`offers that met, as each side saw it: ${posts.map(({ met }) => met).join(" and ")}`);
  // One in each round; on a machine that is busy with other things ICE begins anew in between, too.
  for (const { met } of posts) expect(met).toBeGreaterThan(50);
  await both(ada, ben);
  // By negotiation alone: no connection was given up for a new one.
  expect([before.count, beforeBen.count]).toEqual([1, 1]);
});
