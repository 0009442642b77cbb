// A line between a page and the server that treats WebSockets badly: cuts them at random, in the middle of a frame too,
// stalls, carries one way only, or swallows everything while both ends believe in it. Pages load undisturbed. What
// happens to which connection follows from a seed; the moments are the machine's.
import { once } from "node:events";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";

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

const FATES = ["cut", "reset", "mid-frame", "stall", "up lost", "down lost", "black hole", "half-closed"] as const;
export type Fate = (typeof FATES)[number];

interface Pair {
  near: Socket;
  far: Socket;
  /** What is done to each way. */
  up: "carry" | "hold" | "lose";
  down: "carry" | "hold" | "lose";
  isTorn: boolean;
  /** Whether something bad has happened to it. */
  isStruck: boolean;
}

export class BadLine {
  /** How often each fate has struck. */
  readonly struck = new Map<Fate, number>();
  isBad = true;
  /** What `/bare` answers: a page of this line's own. */
  page = "";
  readonly #server: NetServer;
  readonly #random: () => number;
  readonly #pairs = new Set<Pair>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** How long a line that is not cut stays bad, milliseconds. */
  readonly #badMs: number;

  private constructor(target: number, random: () => number, badMs: number) {
    this.#random = random;
    this.#badMs = badMs;
    this.#server = createServer((near) => this.#accept(near, target));
  }

  static async start(target: string, random: () => number, badMs: number): Promise<BadLine> {
    const line = new BadLine(Number(new URL(target).port), random, badMs);
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the line does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** From now on everything is carried. What is in the middle of something bad ends, as it would at last. */
  mend(): void {
    this.isBad = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const pair of this.#pairs) if (pair.isStruck) this.#end(pair);
  }

  async stop(): Promise<void> {
    this.mend();
    for (const pair of this.#pairs) this.#end(pair);
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(near: Socket, target: number): void {
    const far = connect(target, "127.0.0.1");
    const pair: Pair = { near, far, up: "carry", down: "carry", isTorn: false, isStruck: false };
    this.#pairs.add(pair);
    let isFirst = true;
    near.on("data", (data) => {
      const asked = data.toString("latin1");
      if (asked.startsWith("GET /bare")) return void near.end(answer(this.page));
      if (isFirst && asked.startsWith("GET /v1/ws")) this.#plan(pair);
      isFirst = false;
      this.#carry(pair, "up", data);
    });
    far.on("data", (data) => this.#carry(pair, "down", data));
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      // A cut line is an error to its ends, and that is what is wanted.
      socket.on("error", () => this.#end(pair));
      socket.on("close", () => this.#end(pair));
    }
  }

  #carry(pair: Pair, way: "up" | "down", data: Buffer): void {
    const to = way === "up" ? pair.far : pair.near;
    if (pair[way] === "lose" || to.destroyed) return;
    if (pair.isTorn && data.length > 1) {
      to.write(data.subarray(0, Math.ceil(data.length / 2)), () => this.#end(pair));
      pair.up = pair.down = "lose";
      return;
    }
    to.write(data);
  }

  /** Some time after its start something happens to a connection; some never get to their `welcome`. */
  #plan(pair: Pair): void {
    if (!this.isBad) return;
    const after = this.#random() < 0.15 ? this.#random() * 30 : 300 + this.#random() * 2_500;
    const fate = FATES[Math.floor(this.#random() * FATES.length)] as Fate;
    const lasts = (0.2 + this.#random() * 0.8) * this.#badMs;
    this.#later(after, () => {
      if (!this.#pairs.has(pair)) return;
      this.struck.set(fate, (this.struck.get(fate) ?? 0) + 1);
      this.#strike(pair, fate, lasts);
    });
  }

  #strike(pair: Pair, fate: Fate, lasts: number): void {
    pair.isStruck = true;
    switch (fate) {
      case "cut":
        return this.#end(pair);
      case "reset":
        pair.near.resetAndDestroy();
        pair.far.resetAndDestroy();
        return;
      case "mid-frame":
        pair.isTorn = true;
        // Nothing may come; then it is a cut.
        return this.#later(lasts, () => this.#end(pair));
      case "stall":
        pair.near.pause();
        pair.far.pause();
        return this.#later(lasts, () => {
          pair.near.resume();
          pair.far.resume();
          this.#plan(pair);
        });
      case "up lost":
        pair.up = "lose";
        break;
      case "down lost":
        pair.down = "lose";
        break;
      case "black hole":
        pair.up = pair.down = "lose";
        break;
      case "half-closed":
        pair.far.end();
        pair.down = "lose";
        break;
    }
    this.#later(lasts, () => this.#end(pair));
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far.destroy();
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

function answer(page: string): string {
  const head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close";
  return `${head}\r\ncontent-length: ${Buffer.byteLength(page)}\r\n\r\n${page}`;
}
