// A server in memory on a line that loses whatever it likes: frames arrive late, connections die with frames on the
// way in both directions, commits succeed whose answers are lost. All chance comes from one seed.
import type { ClientFrame, RoomEvent, Socket } from "../src/index.ts";
import type { FakeClock } from "./fake.ts";
import { ack, resumed, snapshot } from "./fake.ts";

/** Mulberry32: small, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class World {
  readonly clock: FakeClock;
  readonly random: () => number;
  /** What is committed; `undefined` is an event that nobody may see. */
  readonly log: (RoomEvent | undefined)[] = [];
  readonly lines = new Set<Line>();
  /** How bad it is, from 0 to 1. */
  trouble = 1;
  readonly #keys = new Map<string, number>();

  constructor(clock: FakeClock, random: () => number) {
    this.clock = clock;
    this.random = random;
  }

  chance(probability: number): boolean {
    return this.random() < probability * this.trouble;
  }

  /** A class of sockets for one user, as the client wants it. */
  socketOf(user: string): new (url: string) => Socket {
    const world = this;
    return class extends Line {
      constructor() {
        super(world, user);
      }
    };
  }

  hear(line: Line, frame: ClientFrame): void {
    switch (frame.type) {
      case "hello":
        return line.say(welcome(line.user, frame.id, this.clock.now()));
      case "ping":
        return line.say({ type: "pong", id: frame.id, at: this.clock.now() });
      case "room.open":
        return this.#open(line, frame.id, frame.since?.seq);
      case "chat.send":
        return this.#send(line, frame);
      default:
        return line.say(ack(frame.id));
    }
  }

  #open(line: Line, id: number, since: number | undefined): void {
    line.isAttached = true;
    line.hasGap = false;
    const head = this.log.length;
    if (since === undefined || this.chance(0.1)) {
      const shown = this.log.flatMap((event) => (event?.type === "chat.sent" ? [{ ...event }] : []));
      const opened = snapshot("r", head, shown, {});
      return line.say(ack(id, { ...opened, reset: since !== undefined }));
    }
    line.say(ack(id, resumed("r", since, head)));
    for (let seq = since + 1; seq <= head; seq += 1) line.say(this.#frame(seq));
  }

  #send(line: Line, frame: ClientFrame & { type: "chat.send" }): void {
    const name = `${line.user} ${frame.key}`;
    if (this.chance(0.08)) return line.say(refusal(frame.id, "rate_limited"));
    let seq = this.#keys.get(name);
    if (seq === undefined) {
      if (this.chance(0.1)) this.#commit(undefined);
      seq = this.log.length + 1;
      this.#keys.set(name, seq);
      const { text, reply_to } = frame;
      this.#commit({ type: "chat.sent", room: "r", seq, at: this.clock.now(), from: line.user, text, reply_to });
    }
    // The commit is there, and its sender is told that nobody knows.
    if (this.chance(0.08)) return line.say(refusal(frame.id, "unavailable"));
    line.say(ack(frame.id, undefined, seq));
  }

  #commit(event: RoomEvent | undefined): void {
    this.log.push(event);
    const frame = this.#frame(this.log.length);
    for (const line of this.lines) {
      if (!line.isAttached) continue;
      // An event that is lost alone leaves a gap, which the next event shows. A skip says that what it passes over
      // was not for this reader, so a server that has lost something cannot say it.
      line.hasGap = this.chance(0.05) || (line.hasGap && !event);
      if (line.hasGap) continue;
      line.say(frame);
      if (this.chance(0.05)) line.say(frame);
    }
  }

  #frame(seq: number): object {
    return this.log[seq - 1] ?? { type: "skip", room: "r", seq };
  }
}

/** One connection. Frames keep their order and take their time; death takes those on the way. */
class Line implements Socket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  isAttached = false;
  hasGap = false;
  readonly user: string;
  readonly #world: World;
  #isDead = false;
  /** Ways on which everything is swallowed while both ends believe in the connection. */
  readonly #deaf = new Set<"up" | "down">();
  #free = { up: 0, down: 0 };

  constructor(world: World, user: string) {
    this.#world = world;
    this.user = user;
    world.lines.add(this);
    this.#later("down", () => (world.chance(0.2) ? this.die() : this.onopen?.({} as never)));
  }

  send(data: string): void {
    this.#later("up", () => this.#world.hear(this, JSON.parse(data)));
  }

  say(frame: object): void {
    const data = JSON.stringify(frame);
    this.#later("down", () => this.onmessage?.({ data } as never));
  }

  close(): void {
    this.#isDead = true;
    this.#world.lines.delete(this);
  }

  /** A network that is gone without a word. */
  swallow(...ways: ("up" | "down")[]): void {
    for (const way of ways) this.#deaf.add(way);
  }

  die(): void {
    if (this.#isDead) return;
    this.close();
    this.onclose?.({ code: 1006, reason: "" } as never);
  }

  #later(way: "up" | "down", run: () => void): void {
    const { clock } = this.#world;
    const at = Math.max(this.#free[way], clock.now() + this.#world.random() * 80);
    this.#free[way] = at;
    clock.setTimeout(() => {
      if (this.#isDead) return;
      if (this.#deaf.has(way)) return;
      if (this.#world.chance(0.03)) return this.die();
      run();
    }, at - clock.now());
  }
}

const refusal = (id: number, code: string) => ({ type: "error", id, code, message: code, retry_after_ms: 200 });

const welcome = (user: string, id: number, at: number) => ({
  type: "welcome",
  id,
  version: 1,
  features: [],
  at,
  user,
  profile: { name: user },
  session: "s",
  secret: "x",
  cursor: { epoch: "u", seq: 0 },
  expires_at: at + 86_400_000,
  idle_ms: 60_000,
  frame_bytes: 65_536,
  may_create: true,
});
