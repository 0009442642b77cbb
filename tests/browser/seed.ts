// Fills a server by its HTTP API, as a host application would: people, a room, and what they said.
import type { Server } from "./server.ts";

/** Wide enough for thousands of messages in some seconds; the defaults are for people. */
export const WIDE = { STOA_LIMITS_COMMANDS_PER_ROOM_S: "1000000" };

/** Requests on their way at once. */
const AT_ONCE = 32;

export interface Said {
  from: string;
  text: string;
  thread?: number;
  reply_to?: number;
  announcement?: boolean;
}

export class Seed {
  readonly #url: string;
  readonly #token: string;

  constructor(server: Server) {
    this.#url = server.url;
    this.#token = server.serviceToken();
  }

  /** Names people: `{ "u1": "Ada" }`. */
  async people(names: Record<string, string>): Promise<void> {
    const users = Object.entries(names);
    for (let first = 0; first < users.length; first += 100) {
      const part = users.slice(first, first + 100);
      const profiles = Object.fromEntries(part.map(([user, name]) => [user, { name }]));
      await this.#send("PUT", "/v1/profiles", { profiles });
    }
  }

  async room(room: string, title: string, members: string[]): Promise<void> {
    await this.#send("PUT", `/v1/rooms/${room}`, {
      kind: "group",
      title,
      members: members.map((user, index) => ({ user, role: index === 0 ? "host" : "member" })),
    });
  }

  async change(room: string, fields: Record<string, unknown>): Promise<void> {
    await this.#send("PATCH", `/v1/rooms/${room}`, fields);
  }

  async member(room: string, user: string, role = "member"): Promise<void> {
    await this.#send("PUT", `/v1/rooms/${room}/members/${encodeURIComponent(user)}`, { role });
  }

  /** Says something; the answer is its place. */
  async say(room: string, said: Said): Promise<number> {
    const { seq } = (await this.#send("POST", `/v1/rooms/${room}/messages`, said)) as { seq: number };
    return seq;
  }

  /** Says many things, in about this order. */
  async sayAll(room: string, all: readonly Said[]): Promise<void> {
    let next = 0;
    const worker = async () => {
      while (next < all.length) {
        const said = all[next] as Said;
        next += 1;
        await this.say(room, said);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #send(method: string, path: string, body: object): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }
}
