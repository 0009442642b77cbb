// A real server on a port and in a data folder of its own, which can die and come back.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.STOA_BIN ?? fileURLToPath(new URL("../../target/debug/stoa", import.meta.url));
const START_MS = 30_000;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Server {
  #child: ChildProcess | undefined;
  #port = 0;
  readonly #folder: string;
  readonly #flags: string[];
  readonly #isDev: boolean;
  /** What tokens are signed with, where there is no `--dev`. */
  readonly #env = { STOA_SECRET: randomBytes(32).toString("hex"), STOA_ISSUER: "tests", STOA_AUDIENCE: "stoa" };

  /** More of its environment. */
  readonly #more: Record<string, string>;

  private constructor(folder: string, flags: string[], isDev: boolean, more: Record<string, string>) {
    this.#more = more;
    this.#folder = folder;
    this.#flags = flags;
    this.#isDev = isDev;
  }

  /** With `--dev`, unless it shall be as in production. */
  static async start(flags: string[] = [], { dev = true, env = {} } = {}): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), "stoa-browser-")), flags, dev, env);
    // In production a server is told its address: pages of no other origin may call it.
    if (!dev) {
      server.#port = await freePort();
      flags.push("--public-url", server.url);
    }
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts, on the same port as before. */
  async start(): Promise<void> {
    const listen = ["--data-dir", this.#folder, "--listen", `127.0.0.1:${this.#port}`];
    const flags = ["serve", ...(this.#isDev ? ["--dev"] : []), ...listen, ...this.#flags];
    const env = { ...process.env, ...(this.#isDev ? {} : this.#env), ...this.#more };
    const child = spawn(BINARY, flags, { stdio: ["ignore", "pipe", "pipe"], env });
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

  /** A token that the host application could have signed. */
  token(...flags: string[]): string {
    const { stdout, stderr, status } = spawnSync(BINARY, ["token", ...flags], {
      env: { ...process.env, ...(this.#isDev ? {} : this.#env) },
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`no token: ${stderr}`);
    return stdout.trim();
  }

  /** The host application's own token. */
  serviceToken(): string {
    const dev = this.#isDev ? ["--dev", "--data-dir", this.#folder] : [];
    return this.token(...dev, "--service", "--user", "backend");
  }

  /** Somebody's token for one room. */
  personToken(user: string, name: string, role: string, room: string): string {
    const dev = this.#isDev ? ["--dev", "--data-dir", this.#folder] : [];
    return this.token(...dev, "--user", user, "--name", name, "--role", role, "--room", room);
  }

  /** Calls the API as the host application. */
  async call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token("--service", "--user", "backend")}`,
        "content-type": "application/json",
      },
      body: body && JSON.stringify(body),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`);
    return answer ? JSON.parse(answer) : {};
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
