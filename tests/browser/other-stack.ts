// A participant that is no browser: tests/peer, which has a WebRTC stack of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Server } from "./server.ts";

const BINARY =
  process.env.STOA_PEER_BIN ?? fileURLToPath(new URL("../../target/peer/debug/stoa-peer", import.meta.url));
/** How long it may take until it tells what must come. */
const PATIENCE_MS = 45_000;

/** What it tells: see tests/peer/src/main.rs. */
export interface Told {
  kind: "joined" | "linked" | "up" | "words" | "open" | "packets" | "settled" | "unlinked" | "back" | "over";
  epoch?: number;
  polite?: boolean;
  words?: string;
  video?: number;
  audio?: number;
}

export class OtherStack {
  readonly told: Told[] = [];
  readonly #child: ChildProcess;
  readonly #log: string[] = [];
  /** Up to where what was told has been looked at. */
  #looked = 0;
  #wake = (): void => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on("data", (part: Buffer) => this.#log.push(part.toString()));
    child.once("exit", () => this.#wake());
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.told.push(JSON.parse(line) as Told);
      this.#wake();
    });
  }

  /** Takes part in the call of the lobby, or starts one. */
  static join(server: Server, { start = false } = {}): OtherStack {
    const token = server.personToken("stack", "Stack", "member", "lobby");
    const flags = ["--server", new URL(server.url).host, "--room", "lobby", "--local", "127.0.0.1:0"];
    const child = spawn(BINARY, [...flags, ...(start ? ["--start"] : [])], {
      env: { ...process.env, STOA_PEER_TOKEN: token },
    });
    return new OtherStack(child);
  }

  /** Orders something: `renegotiate`, `restart`, `relink`, `cut`, `leave`, or words to be said. */
  order(words: string): void {
    this.#child.stdin?.write(`${words}\n`);
  }

  /** Waits for the next thing that it tells like this. */
  async tells(kind: Told["kind"], isIt: (told: Told) => boolean = () => true): Promise<Told> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      for (; this.#looked < this.told.length; ) {
        const told = this.told[this.#looked] as Told;
        this.#looked += 1;
        if (told.kind === kind && isIt(told)) return told;
      }
      const left = until - Date.now();
      if (left <= 0 || this.#child.exitCode !== null) {
        const last = this.told.slice(-12).map((told) => JSON.stringify(told));
        throw new Error(`the other stack never told ${kind}; last: ${last.join(" ")}\n${this.#log.join("")}`);
      }
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
  }

  /** Waits until pictures and sound go on coming. */
  async receives(): Promise<void> {
    const before = await this.tells("packets");
    const more = (now: number | undefined, then: number | undefined) => (now ?? 0) > (then ?? 0) + 10;
    await this.tells("packets", ({ video, audio }) => more(video, before.video) && more(audio, before.audio));
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
}
