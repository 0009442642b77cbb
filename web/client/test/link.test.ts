import { expect, test, vi } from "vitest";
import { backoff, NoToken } from "../src/index.ts";
import { ack, FakeSocket, Scene, settle } from "./fake.ts";

test("the first frame is hello with the token, over the protocol's own subprotocol", async () => {
  const scene = new Scene({ url: "https://host/v1/ws", client: "test/1" });
  await settle();
  expect(scene.socket.url).toBe("wss://host/v1/ws");
  expect(scene.socket.protocols).toEqual(["stoa.v1"]);
  expect(scene.client.state.status).toBe("connecting");
  scene.socket.onopen?.({} as never);
  expect(scene.socket.next("hello")).toEqual({
    type: "hello",
    id: 1,
    token: "token-1",
    list: false,
    client: "test/1",
  });
  scene.client.close();
});

test("a lost connection is made again and goes on with its session and its place in the user's stream", async () => {
  const scene = new Scene();
  await scene.welcome();
  expect(scene.client.state.status).toBe("connected");
  await scene.socket.drop();
  expect(scene.client.state.status).toBe("offline");
  expect(scene.client.state.retryAt).toBe(scene.clock.now() + 500);
  await scene.clock.advance(500);
  expect(FakeSocket.all).toHaveLength(2);
  expect(scene.client.state.status).toBe("offline");
  scene.socket.onopen?.({} as never);
  const hello = scene.socket.next("hello");
  expect(hello.session).toEqual({ id: "s1", secret: "x" });
  expect(hello.user).toEqual({ epoch: "u", seq: 0 });
  expect(hello.token).toBe("token-2");
});

test("delays grow up to half a minute and shrink again after a connection that held", async () => {
  const scene = new Scene();
  scene.clock.chance = 0.999999;
  await settle();
  const delays: number[] = [];
  for (let attempt = 0; attempt < 7; attempt += 1) {
    await scene.socket.drop();
    const delay = (scene.client.state.retryAt ?? 0) - scene.clock.now();
    delays.push(delay);
    await scene.clock.advance(delay);
  }
  expect(delays).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  await scene.welcome();
  await scene.clock.advance(10_000);
  await scene.socket.drop();
  expect((scene.client.state.retryAt ?? 0) - scene.clock.now()).toBe(1000);
});

test("chance spreads the delays over the whole range", () => {
  expect(backoff(3, 0)).toBe(0);
  expect(backoff(3, 0.25)).toBe(2000);
  expect(backoff(100, 0.5)).toBe(15_000);
});

test("the server's delay is obeyed", async () => {
  const scene = new Scene();
  await scene.welcome();
  await scene.socket.say({ type: "bye", reconnect_after_ms: 7_000 });
  await scene.socket.drop(4000, "going_away");
  await scene.clock.advance(6_999);
  expect(FakeSocket.all).toHaveLength(1);
  await scene.clock.advance(1);
  expect(FakeSocket.all).toHaveLength(2);
});

test.each([4001, 4003, 4499, 1001, 1006, 1011, 1012, 1013])("close code %i reconnects", async (code) => {
  const scene = new Scene();
  await scene.welcome();
  await scene.socket.drop(code);
  expect(scene.client.state.status).toBe("offline");
  await scene.clock.advance(30_000);
  expect(FakeSocket.all.length).toBeGreaterThan(1);
});

test.each([4500, 4502, 4505, 4506, 4999, 1008])("close code %i does not reconnect", async (code) => {
  const scene = new Scene();
  await scene.welcome();
  await scene.socket.drop(code, "why");
  expect(scene.client.state.status).toBe("refused");
  expect(scene.client.state.refusal).toEqual({ close: code, reason: "why", message: "why" });
  await scene.clock.advance(600_000);
  expect(FakeSocket.all).toHaveLength(1);
  scene.client.retry();
  await settle();
  expect(FakeSocket.all).toHaveLength(2);
});

test("a token that hello refuses is asked for anew once, then the server's sentence is told", async () => {
  const scene = new Scene();
  for (const id of [1, 2]) {
    await settle();
    scene.socket.onopen?.({} as never);
    await scene.socket.say({ type: "error", id, code: "unauthorized", message: "the token is not valid" });
    await scene.socket.drop(4500, "unauthorized");
  }
  expect(scene.tokens).toEqual(["connect", "expired"]);
  expect(FakeSocket.all).toHaveLength(2);
  expect(scene.client.state.refusal?.message).toBe("the token is not valid");
});

test("an expired token is asked for anew once", async () => {
  const scene = new Scene();
  await scene.welcome();
  await scene.socket.drop(4501, "expired");
  await settle();
  expect(scene.tokens).toEqual(["connect", "expired"]);
  expect(FakeSocket.all).toHaveLength(2);
  await scene.socket.drop(4501, "expired");
  expect(scene.client.state.status).toBe("refused");
});

test("the token is renewed a minute before it expires, by the server's clock", async () => {
  const scene = new Scene();
  const server = scene.clock.now() + 5_000_000;
  await scene.welcome({ at: server, expires_at: server + 600_000, idle_ms: 10_000_000 });
  await scene.clock.advance(539_999);
  expect(scene.tokens).toEqual(["connect"]);
  await scene.clock.advance(1);
  expect(scene.tokens).toEqual(["connect", "refresh"]);
  const refresh = scene.socket.next("token.refresh");
  expect(refresh.token).toBe("token-2");
  await scene.socket.say({
    type: "ack",
    id: refresh.id,
    result: { kind: "token", expires_at: server + 540_000 + 100_000 },
  });
  await scene.clock.advance(79_999);
  expect(scene.tokens).toHaveLength(2);
  await scene.clock.advance(1);
  expect(scene.tokens).toHaveLength(3);
});

test("a provider that fails for a while is asked again, one that gives up is believed", async () => {
  let tries = 0;
  const scene = new Scene({
    token: () => {
      tries += 1;
      if (tries === 1) throw new Error("the network is away");
      throw new NoToken("nobody is logged in");
    },
  });
  await settle();
  expect(scene.client.state.status).toBe("offline");
  await scene.clock.advance(30_000);
  expect(scene.client.state.refusal).toEqual({ reason: "token", message: "nobody is logged in" });
  expect(FakeSocket.all).toHaveLength(0);
});

test("something is said at half of the idle time, and a silent server is given up", async () => {
  const scene = new Scene();
  await scene.welcome({ idle_ms: 40_000 });
  await scene.clock.advance(20_000);
  const ping = scene.socket.next("ping");
  await scene.socket.say({ type: "pong", id: ping.id, at: 0 });
  await scene.clock.advance(20_000);
  scene.socket.next("ping");
  expect(scene.client.state.status).toBe("connected");
  await scene.clock.advance(10_000);
  expect(scene.client.state.status).toBe("offline");
});

test("a handshake that never ends is given up", async () => {
  const scene = new Scene();
  await settle();
  await scene.clock.advance(20_000);
  expect(scene.client.state.status).toBe("offline");
  expect(scene.socket.closed).toBeDefined();
});

test("closing ends every timer and settles everything that waits", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  const { acked } = room.send("never answered");
  const history = scene.client.query({ type: "chat.search", query: "x" });
  room.typing();
  room.markRead(1);
  const changes = vi.fn();
  scene.client.on("change", changes);
  scene.client.close();
  expect(scene.client.state.status).toBe("closed");
  expect(scene.clock.pending).toBe(0);
  expect(changes).toHaveBeenCalledOnce();
  await expect(acked).rejects.toMatchObject({ code: "closed" });
  await expect(history).rejects.toMatchObject({ code: "closed" });
  const last = scene.socket.rest().slice(-2);
  expect(last).toMatchObject([{ type: "presence.set", state: "offline" }, { type: "room.close" }]);
  expect(scene.socket.closed?.code).toBe(1000);
  await scene.clock.advance(600_000);
  expect(FakeSocket.all).toHaveLength(1);
});

test("a listener that throws keeps nobody else from hearing", async () => {
  const report = vi.fn();
  vi.stubGlobal("reportError", report);
  const scene = new Scene();
  const heard = vi.fn();
  scene.client.on("change", () => {
    throw new Error("a listener's own fault");
  });
  scene.client.on("change", heard);
  await scene.welcome();
  expect(heard).toHaveBeenCalled();
  expect(report).toHaveBeenCalledWith(expect.objectContaining({ message: "a listener's own fault" }));
  vi.unstubAllGlobals();
});

test("a hint that the network is back does not shorten the server's delay, a person's word does", async () => {
  const scene = new Scene();
  await scene.welcome();
  const heard = new Map<string, () => void>();
  vi.stubGlobal("addEventListener", (name: string, run: () => void) => heard.set(name, run));
  vi.stubGlobal("removeEventListener", (name: string) => heard.delete(name));
  const other = new Scene();
  await other.welcome();
  expect([...heard.keys()]).toEqual(["online", "offline", "pageshow"]);
  await other.socket.say({ type: "bye", reconnect_after_ms: 7_000 });
  await other.socket.drop(4000, "going_away");
  heard.get("online")?.();
  await settle();
  expect(FakeSocket.all).toHaveLength(1);
  other.client.retry();
  await settle();
  expect(FakeSocket.all).toHaveLength(2);
  await other.socket.drop();
  heard.get("online")?.();
  await settle();
  expect(FakeSocket.all).toHaveLength(3);
  other.client.close();
  expect(heard.size).toBe(0);
  vi.unstubAllGlobals();
  scene.client.close();
});

test("one token is asked for at a time, and a reminder does not ask twice", async () => {
  const asked: string[] = [];
  const answers: ((token: string) => void)[] = [];
  const scene = new Scene({
    token: (reason) => {
      asked.push(reason);
      return new Promise((resolve) => answers.push(resolve));
    },
  });
  answers[0]?.("one");
  await scene.welcome({ expires_at: scene.clock.now() + 100_000, idle_ms: 10_000_000 });
  await scene.clock.advance(80_000);
  await scene.socket.say({ type: "token.expiring", expires_at: 0 });
  expect(asked).toEqual(["connect", "refresh"]);
  // The connection is lost meanwhile: the token that is on its way serves the next one.
  await scene.socket.drop();
  await scene.clock.advance(1_000);
  expect(asked).toEqual(["connect", "refresh"]);
  answers[1]?.("two");
  await settle();
  scene.socket.onopen?.({} as never);
  expect(scene.socket.next("hello").token).toBe("two");
});

test("a provider that never answers is given up and asked again", async () => {
  const asked: string[] = [];
  const scene = new Scene({
    token: (reason) => {
      asked.push(reason);
      return new Promise(() => {});
    },
  });
  await scene.clock.advance(120_000);
  expect(asked.length).toBeGreaterThan(2);
  expect(scene.client.state.status).toBe("offline");
  scene.client.close();
  expect(scene.clock.pending).toBe(0);
});

test("a refresh that fails is tried with growing delays; the same old token is not asked for in a loop", async () => {
  let asked = 0;
  const scene = new Scene({
    token: () => {
      asked += 1;
      return "the same";
    },
  });
  await scene.welcome({ expires_at: scene.clock.now() + 1_000, idle_ms: 10_000_000 });
  for (let round = 0; round < 10; round += 1) {
    await scene.clock.advance(5_000);
    const refresh = scene.socket.sent.at(-1);
    if (refresh?.type === "token.refresh") {
      await scene.socket.say(ack(refresh.id, { kind: "token", expires_at: scene.clock.now() + 1_000 }));
    }
  }
  expect(asked).toBeLessThanOrEqual(11);
  const before = asked;
  for (let round = 0; round < 60; round += 1) {
    const refresh = scene.socket.sent.at(-1);
    if (refresh?.type === "token.refresh") {
      await scene.socket.say({ type: "error", id: refresh.id, code: "unauthorized", message: "too old" });
    }
    await scene.clock.advance(1_000);
  }
  expect(asked - before).toBeLessThan(8);
});

test("a line that carries one way only is given up", async () => {
  const scene = new Scene();
  const room = scene.client.room("r");
  await scene.welcome({ idle_ms: 40_000 });
  await scene.clock.advance(20_000);
  for (let second = 0; second < 29; second += 1) {
    await scene.clock.advance(1_000);
    await scene.socket.say({ type: "profile", user: "ben", profile: { name: `Ben ${second}` } });
    expect(scene.client.state.status).toBe("connected");
  }
  await scene.clock.advance(1_000);
  expect(scene.client.state.status).toBe("offline");
  room.end();
});
