// Two people write to each other over lines that break all the time. Nothing that they typed may be lost or doubled, and
// both must see the order that the server has. `SEED=7` does the same to the lines again; STOA_LONG=1 takes minutes.
import { type Browser, type BrowserContext, expect, type Page, test } from "@playwright/test";
import { BadLine, seeded } from "./bad-line.ts";
import { Server } from "./server.ts";

const isLong = process.env.STOA_LONG === "1";
const LASTS_MS = isLong ? 240_000 : 18_000;
/** In the long form lines stay bad until the client has noticed by itself. */
const BAD_MS = isLong ? 60_000 : 4_000;
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

/** A page with a field, the client, and nothing else. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>Bare</title><input id="say" autofocus>
<script type="module">
  import { connect } from "/client/v1.js";
  const name = new URLSearchParams(location.search).get("name");
  const token = async () => {
    const answer = await fetch("/v1/dev/login", { method: "POST", body: JSON.stringify({ name }),
      headers: { "content-type": "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()).token;
  };
  const client = connect({ url: new URL("/v1/ws", location.href), token, user: name });
  const room = client.room("lobby");
  const seen = [];
  const shownTwice = [];
  room.on("event", ({ seq }) => seen.push(seq));
  // Every text is said once, so at no moment may one be shown twice.
  room.on("change", ({ messages, pending }) => {
    const texts = [...messages, ...pending].filter(({ from }) => !from || from === name).map(({ text }) => text);
    if (new Set(texts).size < texts.length) shownTwice.push(texts.join());
  });
  say.onkeydown = ({ key }) => {
    if (key !== "Enter" || say.value === "") return;
    room.send(say.value);
    say.value = "";
  };
  globalThis.told = { client, room, seen, shownTwice, said: () => say.value };
  room.open();
</script>`;

interface Told {
  client: { state: { status: string; waiting: number; user?: string } };
  room: {
    state: {
      phase: string;
      more: boolean;
      seq: number;
      messages: { seq: number; from: string; text: string }[];
      pending: unknown[];
    };
    loadOlder(): Promise<boolean>;
  };
  seen: number[];
  shownTwice: string[];
}
declare const told: Told;

class Speaker {
  readonly said: string[] = [];
  readonly name: string;
  readonly page: Page;
  /** Places of events, one list for each time that the page was loaded. */
  readonly seen: number[][] = [];
  readonly complaints: string[] = [];

  constructor(name: string, page: Page) {
    this.name = name;
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(error.message));
  }

  async load(): Promise<void> {
    await this.page.goto(`/bare?name=${this.name}`);
    await this.page.waitForFunction(() => "told" in globalThis);
    await this.page.locator("#say").focus();
  }

  async say(text: string): Promise<void> {
    this.said.push(text);
    await this.page.keyboard.type(text);
    await this.page.keyboard.press("Enter");
  }

  /** Keeps what this load of the page has seen, and loads it again, in the middle of everything. */
  async reload(): Promise<void> {
    await this.note();
    await this.load();
  }

  async note(): Promise<void> {
    const { seen, shownTwice } = await this.page.evaluate(() => ({ seen: told.seen, shownTwice: told.shownTwice }));
    this.seen.push(seen);
    this.complaints.push(...shownTwice);
  }

  /** The whole room, from its beginning. */
  async read(): Promise<{ seq: number; from: string; text: string }[]> {
    return this.page.evaluate(async () => {
      while (await told.room.loadOlder());
      return told.room.state.messages.map(({ seq, from, text }) => ({ seq, from, text }));
    });
  }
}

async function speaker(browser: Browser, contexts: BrowserContext[], name: string, baseURL: string): Promise<Speaker> {
  const context = await browser.newContext({ baseURL });
  contexts.push(context);
  const page = await context.newPage();
  const speaker = new Speaker(name, page);
  await speaker.load();
  return speaker;
}

test("two people on lines that break lose nothing, double nothing and see one order", async ({ browser }) => {
  test.setTimeout(LASTS_MS + 240_000);
  console.log(`SEED=${seed}`);
  const random = seeded(seed);
  const server = await Server.start();
  const good = await BadLine.start(server.url, random, 0);
  const lines = [
    await BadLine.start(server.url, seeded(seed + 1), BAD_MS),
    await BadLine.start(server.url, seeded(seed + 2), BAD_MS),
  ];
  good.isBad = false;
  for (const line of [good, ...lines]) line.page = PAGE;
  const contexts: BrowserContext[] = [];
  try {
    const [ada, ben] = [
      await speaker(browser, contexts, "ada", lines[0]?.url ?? ""),
      await speaker(browser, contexts, "ben", lines[1]?.url ?? ""),
    ];
    const write = async (person: Speaker, chance: () => number) => {
      const end = Date.now() + LASTS_MS;
      const reloads = new Set([Math.floor(LASTS_MS / 3), Math.floor((2 * LASTS_MS) / 3)]);
      for (let index = 1; Date.now() < end; index += 1) {
        await person.say(`${person.name} ${index}`);
        await person.page.waitForTimeout(50 + chance() * 350);
        const due = [...reloads].find((at) => end - Date.now() < at);
        if (due === undefined) continue;
        reloads.delete(due);
        await person.reload();
      }
    };
    await Promise.all([
      write(ada, seeded(Math.floor(random() * 2 ** 31))),
      write(ben, seeded(Math.floor(random() * 2 ** 31))),
    ]);
    for (const line of lines) line.mend();

    for (const { page } of [ada, ben]) {
      const isQuiet = () =>
        page.evaluate(() => {
          const { status, waiting } = told.client.state;
          return [status, waiting, told.room.state.phase, told.room.state.pending.length];
        });
      await expect.poll(isQuiet, { timeout: 90_000 }).toEqual(["connected", 0, "open", 0]);
    }
    // What the store has, told to somebody who was not there, over a good line.
    const cyd = await speaker(browser, contexts, "cyd", good.url);
    await expect.poll(() => cyd.page.evaluate(() => told.client.state.status)).toBe("connected");
    const history = await cyd.read();
    const last = history.at(-1)?.seq ?? 0;
    for (const person of [ada, ben]) {
      const place = () => person.page.evaluate(() => told.room.state.seq);
      await expect.poll(place, { timeout: 60_000 }).toBeGreaterThanOrEqual(last);
      await person.note();
      const own = history.filter(({ text }) => text.startsWith(`${person.name} `)).map(({ text }) => text);
      expect(own, `${person.name}'s words in the store`).toEqual(person.said);
      expect(await person.read(), `the room as ${person.name} sees it`).toEqual(history);
      for (const seen of person.seen) expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      expect(person.complaints).toEqual([]);
    }
    const struck = lines.map(({ struck }) => Object.fromEntries(struck));
    console.log(`seed ${seed}: ${history.length} messages; what happened to the lines: ${JSON.stringify(struck)}`);
    for (const line of lines) expect(line.struck.size, "a line that was not bad proves nothing").toBeGreaterThan(1);
  } finally {
    for (const context of contexts) await context.close();
    for (const line of [good, ...lines]) await line.stop();
    await server.stop();
  }
});
