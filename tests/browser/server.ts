// A real server on a port and in a data folder of its own, which can die and come back.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.STOA_BIN ?? fileURLToPath(new URL("../../target/debug/stoa", import.meta.url));
const START_MS = 30_000;

export class Server {
  #child: ChildProcess | undefined;
  #port = 0;
  readonly #folder: string;
  readonly #flags: string[];

  private constructor(folder: string, flags: string[]) {
    this.#folder = folder;
    this.#flags = flags;
  }

  static async start(flags: string[] = []): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), "stoa-browser-")), flags);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts, on the same port as before. */
  async start(): Promise<void> {
    const flags = ["serve", "--dev", "--data-dir", this.#folder, "--listen", `127.0.0.1:${this.#port}`, ...this.#flags];
    const child = spawn(BINARY, flags, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    const log: string[] = [];
    child.stderr?.on("data", (part: Buffer) => log.push(part.toString()));
    const listening = new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
        const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (port) resolve(Number(port));
      });
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${log.join("")}`)));
      setTimeout(() => reject(new Error(`the server did not start:\n${log.join("")}`)), START_MS).unref();
    });
    this.#port = await listening;
  }

  /** Ends as a power cut would: at once, with nothing put in order. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends it and removes what it kept. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), START_MS);
    await gone;
    clearTimeout(late);
  }
}
