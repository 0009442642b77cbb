import { expect, test, vi } from "vitest";
import type { RoomEntry } from "../src/index.ts";
import { ack, message, Scene, settle } from "./fake.ts";

const entry = (room: string, head: number, fields: object = {}): RoomEntry => ({
  info: { room, kind: "group", title: room, created_at: 0 },
  role: "member",
  head,
  last: message(head, `last of ${room}`, { room }),
  read: 0,
  unread: 1,
  mentions: 0,
  ...fields,
});
const ids = (scene: Scene) => scene.client.rooms.map(({ info }) => info.room);

test("the room list is fetched by page, newest first, and frames that overtake it win", async () => {
  const scene = new Scene({ list: true });
  await scene.welcome();
  expect(scene.client.state.status).toBe("catching_up");
  const first = scene.socket.next("room.list");
  await scene.socket.say({ type: "list", entry: entry("b", 9) });
  await scene.socket.say(ack(first.id, { kind: "rooms", rooms: [entry("a", 5), entry("b", 3)], next: "p2" }));
  const second = scene.socket.next("room.list");
  expect(second.after).toBe("p2");
  await scene.socket.say(ack(second.id, { kind: "rooms", rooms: [entry("c", 7)], profiles: { ben: { name: "Ben" } } }));
  expect(ids(scene)).toEqual(["b", "c", "a"]);
  expect(scene.client.rooms[0]?.head).toBe(9);
  expect(scene.client.profiles.get("ben")).toEqual({ name: "Ben" });
  expect(scene.client.state.status).toBe("connected");
  await scene.socket.say({ type: "list.removed", room: "b" });
  expect(ids(scene)).toEqual(["c", "a"]);
});

test("a list that was restored forgets rooms that are gone", async () => {
  const scene = new Scene({ list: true });
  await scene.welcome();
  await scene.socket.say(
    ack(scene.socket.next("room.list").id, { kind: "rooms", rooms: [entry("a", 1), entry("b", 2)] }),
  );
  await scene.reconnect();
  await scene.welcome();
  expect(ids(scene)).toEqual(["b", "a"]);
  await scene.socket.say(ack(scene.socket.next("room.list").id, { kind: "rooms", rooms: [entry("a", 1)] }));
  expect(ids(scene)).toEqual(["a"]);
});

test("reading a room to its end takes its unread count away at once", async () => {
  const scene = new Scene({ list: true });
  await scene.welcome();
  await scene.socket.say(ack(scene.socket.next("room.list").id, { kind: "rooms", rooms: [entry("r", 4)] }));
  const room = await scene.open("r", 4, [message(4, "four")]);
  room.markRead(4);
  expect(scene.client.rooms[0]).toMatchObject({ unread: 0, read: 4 });
  // A row that was written before the marker arrived.
  await scene.socket.say({ type: "list", entry: entry("r", 4) });
  expect(scene.client.rooms[0]).toMatchObject({ unread: 0, read: 4 });
  await scene.socket.say({ type: "list", entry: entry("r", 5, { read: 4 }) });
  expect(scene.client.rooms[0]).toMatchObject({ unread: 1, read: 4 });
});

test("a mention is told once, also when the stream is resumed", async () => {
  const scene = new Scene();
  await scene.welcome();
  const mention = vi.fn();
  scene.client.on("mention", mention);
  const event = (user_seq: number) => ({ type: "user.mentioned", user_seq, at: 5, from: "ben", room: "r", message: 3 });
  await scene.socket.say(event(1), event(1));
  expect(mention.mock.calls).toEqual([[{ room: "r", message: 3, from: "ben", at: 5 }]]);
  await scene.socket.drop();
  await scene.clock.advance(30_000);
  scene.socket.onopen?.({} as never);
  expect(scene.socket.sent[0]).toMatchObject({ type: "hello", user: { epoch: "u", seq: 1 } });
});

test("a hole in the user's stream makes a new connection from the cursor, once", async () => {
  const scene = new Scene();
  await scene.welcome();
  const invited = vi.fn();
  scene.client.on("invited", invited);
  const event = (user_seq: number) => ({ type: "user.invited", user_seq, at: 5, room: "r", role: "member" });
  const before = scene.socket;
  await scene.socket.say(event(3));
  expect(before.closed).toBeDefined();
  expect(invited).not.toHaveBeenCalled();
  await scene.clock.advance(0);
  await scene.welcome();
  await scene.socket.say(event(3));
  expect(invited).toHaveBeenCalledOnce();
});

test("unknown names are asked for in one question", async () => {
  const scene = new Scene();
  await scene.welcome();
  expect(scene.client.profile("ben")).toBeUndefined();
  expect(scene.client.profile("cyd")).toBeUndefined();
  expect(scene.client.profile("ben")).toBeUndefined();
  await settle();
  const ask = scene.socket.next("profile.list");
  expect(ask.users).toEqual(["ben", "cyd"]);
  await scene.socket.say(ack(ask.id, { kind: "profiles", profiles: { ben: { name: "Ben" } } }));
  expect(scene.client.profile("ben")).toEqual({ name: "Ben" });
  expect(scene.socket.rest()).toEqual([]);
});

test("a question waits while offline and is asked again after a loss", async () => {
  const scene = new Scene();
  const answer = scene.client.query({ type: "chat.search", query: "stoa" });
  await scene.welcome();
  scene.socket.next("chat.search");
  await scene.reconnect();
  await scene.welcome();
  const again = scene.socket.next("chat.search");
  await scene.socket.say(ack(again.id, { kind: "messages", messages: [], more_before: false, more_after: false }));
  expect(await answer).toMatchObject({ kind: "messages" });
});

test("a question that is refused for a while is asked a few times", async () => {
  const scene = new Scene();
  await scene.welcome();
  const answer = scene.client.query({ type: "chat.search", query: "stoa" });
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const { id } = scene.socket.next("chat.search");
    await scene.socket.say({ type: "error", id, code: "rate_limited", message: "slow down", retry_after_ms: 100 });
    await scene.clock.advance(100);
  }
  await expect(answer).rejects.toMatchObject({ code: "rate_limited" });
});

test("one's own presence is told again on every connection", async () => {
  const scene = new Scene();
  await scene.welcome();
  scene.client.setPresence("busy", "in a session");
  scene.socket.next("presence.set");
  await scene.reconnect();
  await scene.welcome();
  expect(scene.socket.next("presence.set")).toMatchObject({ state: "busy", text: "in a session" });
});

test("the host application's events reach whom they are for", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  const toUser = vi.fn();
  const toRoom = vi.fn();
  scene.client.on("app", toUser);
  room.on("app", toRoom);
  await scene.socket.say(
    { type: "app.passing", from: "ben", name: "app.poke", data: { hard: true } },
    { type: "app.passing", room: "r", from: "ben", name: "app.slide", data: { page: 2 } },
    { type: "user.app", user_seq: 1, at: 1, from: "host", name: "app.due" },
  );
  expect(toUser.mock.calls.map(([event]) => event.name)).toEqual(["app.poke", "app.due"]);
  expect(toRoom.mock.calls.map(([event]) => event.data)).toEqual([{ page: 2 }]);
});
