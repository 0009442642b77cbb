import { expect, test } from "vitest";
import { connect, type Room } from "../src/index.ts";
import { FakeClock, settle, texts } from "./fake.ts";
import { seeded, World } from "./world.ts";

/** `SEED=7 npm test` runs one of them again. */
const fixed = process.env.SEED === undefined ? undefined : Number(process.env.SEED);
const first = fixed ?? Math.floor(Math.random() * 2 ** 31);
const RUNS = fixed === undefined ? 60 : 1;

interface Speaker {
  room: Room;
  said: string[];
  seen: number[];
}

test(`on a line that loses whatever it likes nothing is lost, doubled or turned around (seed ${first})`, {
  timeout: 60_000,
}, async () => {
  for (let run = 0; run < RUNS; run += 1) await live(first + run);
});

async function live(seed: number): Promise<void> {
  const random = seeded(seed);
  const clock = new FakeClock();
  clock.random = random;
  const world = new World(clock, random);
  const doubled: string[] = [];
  const speakers = ["ada", "ben", "cyd"].map((user): Speaker => {
    const client = connect({
      url: "ws://w",
      token: () => user,
      user,
      WebSocket: world.socketOf(user),
      clock,
      list: false,
    });
    const room = client.room("r");
    const seen: number[] = [];
    room.on("event", (event) => seen.push(event.seq));
    const speaker: Speaker = { room, said: [], seen };
    // At no moment are there more of one's own words than one has said.
    room.on("change", ({ messages, pending }) => {
      const shown = [...messages.filter(({ from }) => from === user), ...pending].map(({ text }) => text);
      for (const text of new Set(shown)) {
        const count = (all: string[]) => all.filter((each) => each === text).length;
        if (count(shown) > count(speaker.said)) doubled.push(`${user}: ${text}`);
      }
    });
    void room.open();
    return speaker;
  });
  for (let step = 0; step < 60; step += 1) {
    const speaker = speakers[Math.floor(random() * speakers.length)] as Speaker;
    // Some words are said twice on purpose: equal words are different messages.
    const text = random() < 0.2 ? "ok" : `${seed}-${step}`;
    speaker.said.push(text);
    speaker.room.send(text);
    if (random() < 0.15) for (const line of [...world.lines]) if (random() < 0.5) line.die();
    await clock.advance(random() * 400);
  }
  world.trouble = 0;
  // Longer than the longest delay between two attempts, and a ping that finds what went quiet.
  await clock.advance(120_000);
  await settle();

  expect(doubled, `seed ${seed}`).toEqual([]);
  const log = world.log.flatMap((event) => (event?.type === "chat.sent" ? [event] : []));
  for (const [index, { room, said, seen }] of speakers.entries()) {
    const name = ["ada", "ben", "cyd"][index];
    const note = `seed ${seed}, ${name}`;
    expect(texts(room), note).toEqual(log.map(({ text }) => text));
    expect(room.state.pending, note).toEqual([]);
    expect(
      log.filter(({ from }) => from === name).map(({ text }) => text),
      note,
    ).toEqual(said);
    expect(seen, note).toEqual([...new Set(seen)].sort((a, b) => a - b));
    room.end();
  }
}
