import { afterEach, expect, test, vi } from "vitest";
import type { Store } from "../src/index.ts";
import { ack, message, resumed, Scene, sent, settle, snapshot, texts } from "./fake.ts";

afterEach(() => void vi.unstubAllGlobals());

class Memory implements Store {
  readonly items = new Map<string, string>();
  getItem = (name: string) => this.items.get(name) ?? null;
  setItem = (name: string, value: string) => void this.items.set(name, value);
  removeItem = (name: string) => void this.items.delete(name);
}

const pending = (room: { state: { pending: readonly { text: string; status: string }[] } }) =>
  room.state.pending.map(({ text, status }) => [text, status]);

test("a message shows at once, and settles on its acknowledgement and its event", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  const { acked } = room.send("hello");
  await settle();
  expect(pending(room)).toEqual([["hello", "sending"]]);
  expect(scene.client.state.waiting).toBe(1);
  const frame = scene.socket.next("chat.send");
  await scene.socket.say(ack(frame.id, undefined, 2));
  expect(await acked).toBe(2);
  expect(pending(room)).toEqual([["hello", "sent"]]);
  expect(scene.client.state.waiting).toBe(0);
  await scene.socket.say(sent(2, "hello", "ada"));
  expect(pending(room)).toEqual([]);
  expect(texts(room)).toEqual(["one", "hello"]);
});

test("an event that comes before its acknowledgement is not shown beside it", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  room.send("hello");
  const frame = scene.socket.next("chat.send");
  await scene.socket.say(sent(2, "hello", "ada"));
  expect([texts(room), pending(room)]).toEqual([["hello"], []]);
  await scene.socket.say(ack(frame.id, undefined, 2));
  expect([texts(room), pending(room)]).toEqual([["hello"], []]);
});

test("the same words from another device do not swallow a message", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  room.send("ok");
  const frame = scene.socket.next("chat.send");
  await scene.socket.say(sent(2, "ok", "ada"), { type: "error", id: frame.id, code: "forbidden", message: "muted" });
  expect(texts(room)).toEqual(["ok"]);
  expect(pending(room)).toEqual([["ok", "failed"]]);
});

test("after a lost connection the same key is sent again until it is answered", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  const { key, acked } = room.send("hello");
  expect(scene.socket.next("chat.send").key).toBe(key);
  await scene.reconnect();
  expect(pending(room)).toEqual([["hello", "waiting"]]);
  await scene.welcome();
  const open = scene.socket.next("room.open");
  expect(scene.socket.rest()).toEqual([]);
  await scene.socket.say(ack(open.id, resumed("r", 1, 2)));
  const again = scene.socket.next("chat.send");
  expect(again.key).toBe(key);
  // It had arrived the first time: the event is among what was missed, and the acknowledgement names it.
  await scene.socket.say(sent(2, "hello", "ada"));
  expect([texts(room), pending(room)]).toEqual([["hello"], []]);
  await scene.socket.say(ack(again.id, undefined, 2));
  expect(await acked).toBe(2);
  expect([texts(room), pending(room)]).toEqual([["hello"], []]);
});

test("what was typed while offline goes out in order, one at a time", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  await scene.socket.drop();
  for (const text of ["a", "b", "c"]) room.send(text);
  await settle();
  expect(scene.client.state).toMatchObject({ status: "offline", waiting: 3 });
  await scene.clock.advance(30_000);
  await scene.welcome();
  await scene.socket.say(ack(scene.socket.next("room.open").id, resumed("r", 1, 1)));
  for (const [index, text] of ["a", "b", "c"].entries()) {
    const frame = scene.socket.next("chat.send");
    expect(frame.text).toBe(text);
    expect(scene.socket.rest()).toEqual([]);
    await scene.socket.say(sent(2 + index, text, "ada"), ack(frame.id, undefined, 2 + index));
  }
  expect(texts(room)).toEqual(["a", "b", "c"]);
  expect(scene.client.state).toMatchObject({ status: "connected", waiting: 0 });
});

test.each(["unavailable", "overloaded", "rate_limited"])(
  "%s is tried again with the same key, in order",
  async (code) => {
    const scene = new Scene();
    await scene.welcome();
    const room = await scene.open("r", 1);
    const { key } = room.send("a");
    room.send("b");
    const first = scene.socket.next("chat.send");
    await scene.socket.say({ type: "error", id: first.id, code, message: "later", retry_after_ms: 700 });
    await scene.clock.advance(699);
    expect(scene.socket.rest()).toEqual([]);
    await scene.clock.advance(1);
    expect(scene.socket.next("chat.send").key).toBe(key);
    expect(scene.socket.rest()).toEqual([]);
  },
);

test("a refused message stays with its reason until its author decides", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  const refused = vi.fn();
  room.on("refused", refused);
  const { key, acked } = room.send("first");
  room.send("second");
  const frame = scene.socket.next("chat.send");
  await scene.socket.say({ type: "error", id: frame.id, code: "forbidden", message: "you are muted" });
  await expect(acked).rejects.toMatchObject({ code: "forbidden" });
  expect(refused.mock.calls[0]?.[0]).toMatchObject({ command: { text: "first" }, fault: { code: "forbidden" } });
  expect(pending(room)).toEqual([
    ["first", "failed"],
    ["second", "sending"],
  ]);
  const second = scene.socket.next("chat.send");
  await scene.socket.say(sent(2, "second", "ada"), ack(second.id, undefined, 2));
  room.retry(key);
  await settle();
  const again = scene.socket.next("chat.send");
  expect(again.text).toBe("first");
  // Should it be there after all, it is not doubled.
  expect(again.key).toBe(key);
  await scene.socket.say({ type: "error", id: again.id, code: "forbidden", message: "you are muted" });
  expect(room.discard(again.key)).toBe("first");
  expect(pending(room)).toEqual([]);
});

test("a message that may have arrived cannot be discarded", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  const { key } = room.send("on its way");
  await scene.socket.drop();
  expect(room.discard(key)).toBeUndefined();
  const later = room.send("not sent yet");
  expect(room.discard(later.key)).toBe("not sent yet");
});

test("an edit and a reaction show before they are committed, and go back when refused", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one", { from: "ada" })]);
  void room.edit(1, "uno");
  void room.react(1, "👍", true);
  await settle();
  expect(room.state.messages[0]).toMatchObject({ text: "uno", pending: true, reactions: [{ emoji: "👍", count: 1 }] });
  const edit = scene.socket.next("chat.edit");
  await scene.socket.say({ type: "error", id: edit.id, code: "conflict", message: "too old" });
  expect(room.state.messages[0]).toMatchObject({ text: "one" });
  const react = scene.socket.next("chat.react");
  await scene.socket.say(
    { type: "chat.reacted", room: "r", seq: 2, at: 1, from: "ada", target: 1, emoji: "👍", on: true },
    ack(react.id, undefined, 2),
  );
  expect(room.state.messages[0]?.reactions).toEqual([{ emoji: "👍", count: 1, users: ["ada"], mine: true }]);
  expect(room.state.messages[0]?.pending).toBeUndefined();
});

test("what waits survives a reload, with its key", async () => {
  const store = new Memory();
  const before = new Scene({ store, user: "ada" });
  const { key } = before.client.room("r").send("typed on a train");
  before.client.close();
  expect([...store.items.keys()]).toEqual(["stoa.outbox:ada"]);

  const after = new Scene({ store, user: "ada" });
  expect(pending(after.client.room("r"))).toEqual([["typed on a train", "waiting"]]);
  expect(after.client.state.waiting).toBe(1);
  await after.welcome();
  const frame = after.socket.next("chat.send");
  expect(frame).toMatchObject({ key, text: "typed on a train" });
  await after.socket.say(ack(frame.id, undefined, 1));
  expect(store.items.size).toBe(0);
});

test("what one user left behind is not sent as another", async () => {
  const store = new Memory();
  const ada = new Scene({ store, user: "ada" });
  ada.client.room("r").send("Ada's words");
  ada.client.close();
  const ben = new Scene({ store, user: "ada" });
  await ben.welcome({ user: "ben" });
  expect(ben.socket.rest()).toEqual([]);
  expect(ben.client.state.waiting).toBe(0);
  expect(store.items.has("stoa.outbox:ada")).toBe(true);
});

test("a store that throws or holds nonsense loses nothing that is in memory", async () => {
  const store = {
    getItem: () => "{not json",
    setItem: () => {
      throw new Error("full");
    },
    removeItem: () => {},
  };
  const scene = new Scene({ store });
  scene.client.room("r").send("still here");
  await scene.welcome();
  expect(scene.socket.next("chat.send").text).toBe("still here");
});

test("a frame above the server's limit is refused here, not by a closed connection", async () => {
  const scene = new Scene();
  await scene.welcome({ frame_bytes: 200 });
  const room = await scene.open("r", 1);
  await expect(room.send("x".repeat(300)).acked).rejects.toMatchObject({ code: "too_large" });
  expect(scene.socket.rest()).toEqual([]);
});

test("a room is created under an id that is known at once", async () => {
  const scene = new Scene();
  await scene.welcome();
  const { room, created } = scene.client.createRoom({ kind: "group", title: "Study" });
  const frame = scene.socket.next("room.create");
  expect(frame).toMatchObject({ room, kind: "group", title: "Study" });
  await scene.socket.say(ack(frame.id, { kind: "room", room }, 1));
  expect(await created).toBe(1);
});

/** What browsers have: names can be listed, and two tabs share it. */
class Shared extends Memory {
  get length() {
    return this.items.size;
  }
  key = (index: number) => [...this.items.keys()][index] ?? null;
}

/** Web Locks of one origin: a lock is granted when its holder ends. */
class Locks {
  readonly queues = new Map<string, (() => Promise<void>)[]>();
  async request(
    name: string,
    options: { ifAvailable?: boolean; signal?: AbortSignal },
    run: (lock: unknown) => unknown,
  ) {
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    if (options.ifAvailable && queue.length > 0) return run(null);
    let started = false;
    const turn = async () => {
      started = true;
      if (!options.signal?.aborted) await run({ name });
      queue.shift();
      void queue[0]?.();
    };
    queue.push(turn);
    if (queue.length === 1) await turn();
    else await vi.waitFor(() => expect(started).toBe(true));
  }
}

test("two tabs that share a store neither lose nor steal what the other has waiting", async () => {
  vi.stubGlobal("navigator", { locks: new Locks() });
  const store = new Shared();
  const first = new Scene({ store, user: "ada" });
  first.client.room("r").send("from the first tab");
  await settle();
  const second = new Scene({ store, user: "ada" });
  await second.clock.advance(1);
  second.client.room("r").send("from the second tab");
  await settle();
  expect(pending(second.client.room("r"))).toEqual([["from the second tab", "waiting"]]);
  expect(store.length).toBe(2);

  first.client.close();
  await vi.waitFor(() =>
    expect(pending(second.client.room("r"))).toEqual([
      ["from the first tab", "waiting"],
      ["from the second tab", "waiting"],
    ]),
  );
  expect(store.length).toBe(1);
  const third = new Scene({ store, user: "ada" });
  await settle();
  expect(third.client.state.waiting).toBe(0);
});

test("without locks two tabs may both send what waits, under one key", async () => {
  const store = new Shared();
  const first = new Scene({ store, user: "ada" });
  const { key } = first.client.room("r").send("once");
  const second = new Scene({ store, user: "ada" });
  await second.welcome();
  expect(second.socket.next("chat.send").key).toBe(key);
  expect(pending(first.client.room("r"))).toEqual([["once", "waiting"]]);
});

test("names of users do not run into each other in the store", async () => {
  const store = new Shared();
  const ada = new Scene({ store, user: "a:b" });
  ada.client.room("r").send("a:b's words");
  ada.client.close();
  expect(new Scene({ store, user: "a" }).client.state.waiting).toBe(0);
  expect(new Scene({ store, user: "a:b" }).client.state.waiting).toBe(1);
});

test("a store that answers later is read before anything is sent", async () => {
  const memory = new Memory();
  const store: Store = {
    getItem: async (name) => memory.getItem(name),
    setItem: async (name, value) => memory.setItem(name, value),
    removeItem: async (name) => memory.removeItem(name),
  };
  const before = new Scene({ store, user: "ada" });
  before.client.room("r").send("first");
  await settle();
  before.client.close();
  let answer: (text: string | null) => void = () => {};
  const slow: Store = {
    ...store,
    getItem: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  };
  const after = new Scene({ store: slow, user: "ada" });
  await after.clock.advance(1);
  after.client.room("r").send("second");
  await after.welcome();
  expect(after.socket.rest()).toEqual([]);
  answer([...memory.items.values()][0] ?? null);
  await settle();
  expect(after.socket.next("chat.send").text).toBe("first");
});

test("a client says whether what waits would survive a reload", async () => {
  expect(new Scene().client.state.isSaved).toBe(false);
  const memory = new Memory();
  const scene = new Scene({ store: memory, user: "ada" });
  expect(scene.client.state.isSaved).toBe(true);
  memory.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  scene.client.room("r").send("too much");
  await settle();
  expect(scene.client.state.isSaved).toBe(false);
});

test("after the end nothing is taken, and what was kept stays", async () => {
  const store = new Memory();
  const scene = new Scene({ store, user: "ada" });
  const room = scene.client.room("r");
  room.send("kept");
  scene.client.close();
  await expect(room.send("too late").acked).rejects.toMatchObject({ code: "closed" });
  await expect(room.open()).rejects.toMatchObject({ code: "closed" });
  expect([...store.items.values()].join()).toContain("kept");
});

test("words above the bound are given back, not swallowed", async () => {
  const scene = new Scene();
  const room = scene.client.room("r");
  const refused = vi.fn();
  room.on("refused", refused);
  for (let index = 0; index < 1_001; index += 1) room.send(`word ${index}`);
  expect(refused).toHaveBeenCalledOnce();
  expect(refused.mock.calls[0]?.[0]).toMatchObject({ command: { text: "word 1000" }, fault: { code: "overloaded" } });
});

test("a fault of the server is tried again a few times under the same key, then told", async () => {
  const scene = new Scene();
  await scene.welcome({ idle_ms: 10_000_000 });
  const room = await scene.open("r", 1);
  const { key, acked } = room.send("hm");
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const frame = scene.socket.next("chat.send");
    expect(frame.key).toBe(key);
    await scene.socket.say({ type: "error", id: frame.id, code: "internal", message: "a fault" });
    await scene.clock.advance(20_000);
  }
  await expect(acked).rejects.toMatchObject({ code: "internal" });
});

test("what was committed in a log that began anew does not wait for a place that it will never reach", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 50);
  room.send("lost with the old log");
  await scene.socket.say(ack(scene.socket.next("chat.send").id, undefined, 51));
  expect(pending(room)).toEqual([["lost with the old log", "sent"]]);
  await scene.socket.say({ ...snapshot("r", 3), type: "room.reset", epoch: "e2", reset: true });
  expect(pending(room)).toEqual([]);
});
