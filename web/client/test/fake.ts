// A clock that only tests move, and a socket whose other end is the test.
import { type Client, type ClientFrame, type Clock, type ConnectOptions, connect, type Message } from "../src/index.ts";

export class FakeClock implements Clock {
  time = 1_000_000;
  chance = 0.5;
  #timers: { at: number; run: () => void; id: number }[] = [];
  #lastId = 0;

  now(): number {
    return this.time;
  }
  setTimeout(run: () => void, ms: number): unknown {
    this.#lastId += 1;
    this.#timers.push({ at: this.time + ms, run, id: this.#lastId });
    return this.#lastId;
  }
  clearTimeout(handle: unknown): void {
    this.#timers = this.#timers.filter((timer) => timer.id !== handle);
  }
  random(): number {
    return this.chance;
  }
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves the time and runs what is due, in order, letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!due) break;
      this.time = Math.max(this.time, due.at);
      this.clearTimeout(due.id);
      due.run();
      await settle();
    }
    this.time = end;
  }
}

/** Lets everything that is due in microtasks happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

type Sent = ClientFrame & Record<string, unknown>;

export class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: Sent[] = [];
  readonly url: string;
  readonly protocols: string[];
  closed: { code?: number; reason?: string } | undefined;
  #read = 0;

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }
  send(data: string): void {
    if (this.closed) throw new Error("the socket is closed");
    this.sent.push(JSON.parse(data));
  }
  close(code?: number, reason?: string): void {
    this.closed = { code, reason };
  }

  /** The next frame that the client sent, which must be of this type. */
  next<Type extends ClientFrame["type"]>(type: Type): Extract<ClientFrame, { type: Type }> {
    const frame = this.sent[this.#read];
    if (frame?.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(this.sent.slice(this.#read))}`);
    this.#read += 1;
    return frame as unknown as Extract<ClientFrame, { type: Type }>;
  }
  /** What the client sent and the test has not looked at. */
  rest(): Sent[] {
    const rest = this.sent.slice(this.#read);
    this.#read = this.sent.length;
    return rest;
  }
  async say(...frames: object[]): Promise<void> {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) } as never);
    await settle();
  }
  async drop(code = 1006, reason = ""): Promise<void> {
    this.onclose?.({ code, reason } as never);
    await settle();
  }
}

export class Scene {
  readonly clock = new FakeClock();
  readonly tokens: string[] = [];
  readonly client: Client;

  constructor(options: Partial<ConnectOptions> = {}) {
    FakeSocket.all = [];
    this.client = connect({
      url: "ws://test/v1/ws",
      token: (reason) => {
        this.tokens.push(reason);
        return `token-${this.tokens.length}`;
      },
      WebSocket: FakeSocket,
      clock: this.clock,
      list: false,
      ...options,
    });
  }

  get socket(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (!socket) throw new Error("no socket was made");
    return socket;
  }

  /** Answers the handshake of the newest socket. */
  async welcome(fields: object = {}): Promise<void> {
    await settle();
    this.socket.onopen?.({} as never);
    const hello = this.socket.next("hello");
    await this.socket.say({
      type: "welcome",
      id: hello.id,
      version: 1,
      features: [],
      at: this.clock.now(),
      user: "ada",
      profile: { name: "Ada" },
      session: "s1",
      secret: "x",
      cursor: { epoch: "u", seq: 0 },
      expires_at: this.clock.now() + 3_600_000,
      idle_ms: 60_000,
      frame_bytes: 65_536,
      may_create: true,
      ...fields,
    });
  }

  /** Opens a room and answers with a snapshot at `seq`. */
  async open(id: string, seq: number, messages: Message[] = [], fields: object = {}) {
    const room = this.client.room(id);
    void room.open();
    await settle();
    await this.answerOpen(id, seq, messages, fields);
    return room;
  }

  async answerOpen(id: string, seq: number, messages: Message[] = [], fields: object = {}): Promise<void> {
    const frame = this.socket.next("room.open");
    await this.socket.say(ack(frame.id, snapshot(id, seq, messages, fields)));
  }

  async reconnect(): Promise<void> {
    await this.socket.drop();
    await this.clock.advance(30_000);
  }
}

export const ack = (id: number, result?: object, seq?: number) => ({ type: "ack", id, result, seq });

const access = { role: "member", capabilities: ["send", "react"], member: true };

export function snapshot(id: string, seq: number, messages: Message[] = [], fields: object = {}) {
  return {
    kind: "opened",
    room: id,
    epoch: "e1",
    seq,
    head: seq,
    access,
    snapshot: {
      info: { room: id, kind: "group", title: id, created_at: 0 },
      member_count: 1,
      members: [],
      messages,
      more: false,
      online: 1,
      ...fields,
    },
  };
}

export const resumed = (id: string, seq: number, head: number) => ({
  kind: "opened",
  room: id,
  epoch: "e1",
  seq,
  head,
  access,
  online: 1,
});

export const message = (seq: number, text: string, fields: object = {}): Message => ({
  room: "r",
  seq,
  at: seq * 1000,
  from: "ben",
  text,
  ...fields,
});

export const sent = (seq: number, text: string, from = "ben", fields: object = {}) => ({
  type: "chat.sent",
  room: "r",
  seq,
  at: seq * 1000,
  from,
  text,
  ...fields,
});

export const texts = (room: { state: { messages: readonly Message[] } }) => room.state.messages.map((m) => m.text);
