import { expect, test } from "vitest";
import { type Client, connect, type Room, type Store } from "../src/index.ts";
import { FakeClock, settle, texts } from "./fake.ts";
import { seeded, World } from "./world.ts";

/** `SEED=7 npm test` runs one of them again. */
const fixed = process.env.SEED === undefined ? undefined : Number(process.env.SEED);
const first = fixed ?? Math.floor(Math.random() * 2 ** 31);
const isLong = process.env.STOA_LONG === "1";
const RUNS = fixed === undefined ? (isLong ? 3_000 : 150) : 1;

interface Speaker {
  name: string;
  room: Room;
  said: string[];
  /** Places of events, one list for each life of the client. */
  seen: number[][];
  /** The page is loaded again: another client on what the one before has left. */
  reload(): void;
}

test(`on a line that loses whatever it likes nothing is lost, doubled or turned around (seed ${first})`, {
  timeout: isLong ? 1_200_000 : 120_000,
}, async () => {
  for (let run = 0; run < RUNS; run += 1) await live(first + run);
});

class Kept implements Store {
  readonly items = new Map<string, string>();
  get length() {
    return this.items.size;
  }
  key = (index: number) => [...this.items.keys()][index] ?? null;
  getItem = (name: string) => this.items.get(name) ?? null;
  setItem = (name: string, value: string) => void this.items.set(name, value);
  removeItem = (name: string) => void this.items.delete(name);
}

function speak(world: World, clock: FakeClock, name: string, doubled: string[]): Speaker {
  const store = new Kept();
  const said: string[] = [];
  let client: Client | undefined;
  const speaker = { name, said, seen: [] as number[][] } as Speaker;
  speaker.reload = () => {
    client?.close();
    client = connect({
      url: "ws://w",
      token: () => name,
      user: name,
      WebSocket: world.socketOf(name),
      clock,
      store,
      list: false,
    });
    const seen: number[] = [];
    speaker.seen.push(seen);
    speaker.room = client.room("r");
    speaker.room.on("event", (event) => seen.push(event.seq));
    // At no moment are there more of one's own words than one has said.
    speaker.room.on("change", ({ messages, pending }) => {
      const shown = [...messages.filter(({ from }) => from === name), ...pending].map(({ text }) => text);
      for (const text of new Set(shown)) {
        const count = (all: string[]) => all.filter((each) => each === text).length;
        if (count(shown) > count(said)) doubled.push(`${name}: ${text}`);
      }
    });
    void speaker.room.open();
  };
  speaker.reload();
  return speaker;
}

async function live(seed: number): Promise<void> {
  const random = seeded(seed);
  const clock = new FakeClock();
  clock.random = random;
  const world = new World(clock, random);
  const doubled: string[] = [];
  const speakers = ["ada", "ben", "cyd"].map((name) => speak(world, clock, name, doubled));
  for (let step = 0; step < 60; step += 1) {
    const speaker = speakers[Math.floor(random() * speakers.length)] as Speaker;
    // Some words are said twice on purpose: equal words are different messages.
    const text = random() < 0.2 ? "ok" : `${seed}-${step}`;
    speaker.said.push(text);
    speaker.room.send(text);
    if (random() < 0.15) for (const line of [...world.lines]) if (random() < 0.5) line.die();
    if (random() < 0.05) for (const line of world.lines) if (random() < 0.3) line.swallow("up", "down");
    if (random() < 0.05)
      for (const line of world.lines) if (random() < 0.3) line.swallow(random() < 0.5 ? "up" : "down");
    if (random() < 0.04) speaker.reload();
    await clock.advance(random() * 400);
  }
  world.trouble = 0;
  // Longer than the longest delay between two attempts, and the pings that find what went quiet, one way or both.
  await clock.advance(240_000);
  await settle();

  expect(doubled, `seed ${seed}`).toEqual([]);
  const log = world.log.flatMap((event) => (event?.type === "chat.sent" ? [event] : []));
  for (const { name, room, said, seen } of speakers) {
    const note = `seed ${seed}, ${name}`;
    expect(texts(room), note).toEqual(log.map(({ text }) => text));
    expect(room.state.pending, note).toEqual([]);
    expect(
      log.filter(({ from }) => from === name).map(({ text }) => text),
      note,
    ).toEqual(said);
    for (const life of seen) expect(life, note).toEqual([...new Set(life)].sort((a, b) => a - b));
    room.end();
  }
}
