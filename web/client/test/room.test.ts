import { expect, test } from "vitest";
import type { RoomEvent } from "../src/index.ts";
import { ack, message, resumed, Scene, sent, settle, snapshot, texts } from "./fake.ts";

test("a room opens with a snapshot and follows its events in order", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 2, [message(1, "one"), message(2, "two")]);
  await scene.socket.say(sent(3, "three"), sent(4, "four"));
  expect(texts(room)).toEqual(["one", "two", "three", "four"]);
  expect(room.state.phase).toBe("open");
  expect(room.state.seq).toBe(4);
});

test("what is below the cursor is dropped and a skip moves the cursor", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 2, [message(1, "one"), message(2, "two")]);
  const seen: number[] = [];
  room.on("event", (event) => seen.push(event.seq));
  await scene.socket.say(sent(2, "again"), sent(3, "three"), sent(3, "three again"));
  expect(seen).toEqual([3]);
  await scene.socket.say({ type: "skip", room: "r", seq: 7 }, sent(8, "eight"));
  expect(texts(room)).toEqual(["one", "two", "three", "eight"]);
  expect(scene.socket.rest()).toEqual([]);
});

test("an event of a kind that the client does not know moves the cursor", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  await scene.socket.say({ type: "poll.opened", room: "r", seq: 2, at: 5, from: "ben" }, sent(3, "three"));
  expect(texts(room)).toEqual(["one", "three"]);
});

test("a gap is filled by opening again from the cursor, and nothing is shown twice", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  const seen: number[] = [];
  room.on("event", (event) => seen.push(event.seq));
  await scene.socket.say(sent(4, "four"), sent(5, "five"), { type: "skip", room: "r", seq: 6 });
  const open = scene.socket.next("room.open");
  expect(open.since).toEqual({ epoch: "e1", seq: 1 });
  expect(scene.client.state.status).toBe("catching_up");
  await scene.socket.say(ack(open.id, resumed("r", 1, 5)));
  expect(room.state.catchingUp).toBe(true);
  await scene.socket.say(sent(2, "two"), sent(3, "three"), sent(4, "four"), sent(5, "five"));
  expect(texts(room)).toEqual(["one", "two", "three", "four", "five"]);
  expect(seen).toEqual([2, 3, 4, 5]);
  expect(scene.client.state.status).toBe("connected");
  expect(scene.socket.rest()).toEqual([]);
});

test("gaps that do not close end in a snapshot", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  for (let round = 0; round < 2; round += 1) {
    await scene.socket.say(sent(4, "four"));
    const open = scene.socket.next("room.open");
    expect(open.since?.seq).toBe(1);
    await scene.socket.say(ack(open.id, resumed("r", 1, 4)));
  }
  await scene.socket.say(sent(4, "four"));
  expect(scene.socket.next("room.open").since).toBeUndefined();
  expect(texts(room)).toEqual(["one"]);
});

test("after a reconnect the room is opened from its cursor and catches up", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  await scene.reconnect();
  await scene.welcome();
  const open = scene.socket.next("room.open");
  expect(open.since).toEqual({ epoch: "e1", seq: 1 });
  await scene.socket.say(ack(open.id, resumed("r", 1, 3)));
  expect(scene.client.state.status).toBe("catching_up");
  await scene.socket.say(sent(2, "two"), sent(3, "three"));
  expect(texts(room)).toEqual(["one", "two", "three"]);
  expect(scene.client.state.status).toBe("connected");
});

test("a reset replaces everything that the client had", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [message(8, "old"), message(9, "older")]);
  await scene.socket.say({ ...snapshot("r", 2, [message(2, "new")]), type: "room.reset", epoch: "e2", reset: true });
  expect(texts(room)).toEqual(["new"]);
  await scene.socket.say(sent(3, "goes on"));
  expect(texts(room)).toEqual(["new", "goes on"]);
  await scene.reconnect();
  await scene.welcome();
  expect(scene.socket.next("room.open").since).toEqual({ epoch: "e2", seq: 3 });
});

test("a resume that would leave something out is not taken up", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  await scene.reconnect();
  await scene.welcome();
  await scene.socket.say(ack(scene.socket.next("room.open").id, resumed("r", 5, 5)));
  expect(scene.socket.next("room.open").since).toBeUndefined();
  expect(texts(room)).toEqual(["one"]);
});

test("a refused room says why and keeps nothing", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "secret")]);
  await scene.socket.say({ type: "room.closed", room: "r", reason: { code: "forbidden", message: "removed" } });
  expect(room.state.phase).toBe("refused");
  expect(room.state.fault?.code).toBe("forbidden");
  expect(room.state.messages).toEqual([]);
  await scene.reconnect();
  await scene.welcome();
  expect(scene.socket.rest()).toEqual([]);
});

test("opening is tried again when the refusal passes, and rejected when it does not", async () => {
  const scene = new Scene();
  await scene.welcome();
  const opening = scene.client.room("r").open();
  const first = scene.socket.next("room.open");
  await scene.socket.say({ type: "error", id: first.id, code: "overloaded", message: "later", retry_after_ms: 300 });
  await scene.clock.advance(299);
  expect(scene.socket.rest()).toEqual([]);
  await scene.clock.advance(1);
  const second = scene.socket.next("room.open");
  await scene.socket.say({ type: "error", id: second.id, code: "not_found", message: "no such room" });
  await expect(opening).rejects.toMatchObject({ code: "not_found" });
});

test("edits, deletions, reactions and pins change the message that they are about", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 2, [message(1, "one"), message(2, "two", { data: { x: 1 } })]);
  const fact = (seq: number, type: string, fields: object) => ({ type, room: "r", seq, at: 9, from: "ben", ...fields });
  await scene.socket.say(
    fact(3, "chat.edited", { target: 1, text: "uno", mentions: ["ada"] }),
    fact(4, "chat.reacted", { target: 1, emoji: "👍", on: true }),
    { ...fact(5, "chat.reacted", { target: 1, emoji: "👍", on: true }), from: "ada" },
    fact(6, "chat.pinned", { target: 1, on: true }),
    fact(7, "chat.reacted", { target: 1, emoji: "👍", on: false }),
    fact(8, "chat.deleted", { target: 2 }),
  );
  const [one, two] = room.state.messages;
  expect(one).toMatchObject({ text: "uno", edited_at: 9, mentions: ["ada"], pinned: true });
  expect(one?.reactions).toEqual([{ emoji: "👍", count: 1, users: ["ada"], mine: true }]);
  expect(room.state.pins).toEqual([1]);
  expect(two).toEqual({ room: "r", seq: 2, at: 2000, from: "ben", text: "", deleted: true, pinned: false });
});

test("an answer in a thread counts on its first message and stays out of the room's flow", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "root")]);
  await scene.socket.say(sent(2, "aside", "ben", { thread: 1 }));
  expect(texts(room)).toEqual(["root"]);
  expect(room.state.messages[0]?.replies).toBe(1);
  await scene.socket.say({ type: "chat.deleted", room: "r", seq: 3, at: 9, from: "ben", target: 2, thread: 1 });
  expect(room.state.messages[0]?.replies).toBe(0);
});

test("older messages come by page, and events that overtook the page hold", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [message(9, "nine")], { more: true });
  const loading = room.loadOlder();
  const again = room.loadOlder();
  const ask = scene.socket.next("chat.history");
  expect(ask).toMatchObject({ room: "r", before: 9, limit: 50 });
  expect(room.state.loadingOlder).toBe(true);
  await scene.socket.say({ type: "chat.edited", room: "r", seq: 10, at: 7, from: "ben", target: 8, text: "edited" });
  const page = { kind: "messages", messages: [message(7, "seven"), message(8, "eight")], more_before: false };
  await scene.socket.say(ack(ask.id, page));
  expect(await loading).toBe(false);
  await again;
  expect(texts(room)).toEqual(["seven", "edited", "nine"]);
  expect(scene.socket.rest()).toEqual([]);
});

test("a page that was asked for before a reset is not mixed in", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [message(9, "nine")], { more: true });
  const loading = room.loadOlder();
  const ask = scene.socket.next("chat.history");
  await scene.socket.say({ ...snapshot("r", 1, [message(1, "new")]), type: "room.reset", epoch: "e2", reset: true });
  const page = { kind: "messages", messages: [message(8, "eight")], more_before: false };
  await scene.socket.say(ack(ask.id, page));
  await loading;
  expect(texts(room)).toEqual(["new"]);
});

test("people come, change and go", async () => {
  const scene = new Scene();
  await scene.welcome();
  const member = { user: "ada", role: "host", joined_seq: 1, joined_at: 0 };
  const room = await scene.open("r", 1, [], { members: [member], presence: [{ user: "ada", state: "online" }] });
  await scene.socket.say(
    { type: "member.joined", room: "r", seq: 2, at: 1, from: "ben", user: "ben", role: "member" },
    { type: "presence", room: "r", online: 2, changed: [{ user: "ben", state: "online" }] },
    { type: "member.updated", room: "r", seq: 3, at: 1, from: "ada", user: "ben", role: "viewer" },
  );
  expect(room.state.memberCount).toBe(2);
  expect(room.state.members.map((m) => [m.user, m.role])).toEqual([
    ["ada", "host"],
    ["ben", "viewer"],
  ]);
  expect(room.state.online).toBe(2);
  await scene.socket.say(
    { type: "presence", room: "r", online: 1, changed: [{ user: "ben", state: "offline", last_seen: 5 }] },
    { type: "member.left", room: "r", seq: 4, at: 1, from: "ben", user: "ben", reason: "left" },
  );
  expect(room.state.presence.get("ben")).toEqual({ user: "ben", state: "offline", last_seen: 5 });
  expect(room.state.memberCount).toBe(1);
});

test("a large room does not show half a list of members as a whole one", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [], { member_count: 500 });
  await scene.socket.say({ type: "member.joined", room: "r", seq: 2, at: 1, user: "ben", role: "member" });
  expect(room.state.memberCount).toBe(501);
  expect(room.state.members).toEqual([]);
});

test("who types is told without oneself, ends with their message, and goes stale", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  await scene.socket.say({ type: "typing", room: "r", users: ["ada", "ben", "cyd"], count: 3 });
  expect(room.state.typing).toEqual({ users: ["ben", "cyd"], count: 2 });
  await scene.socket.say(sent(2, "hi"));
  expect(room.state.typing).toEqual({ users: ["cyd"], count: 1 });
  await scene.clock.advance(60_000);
  expect(room.state.typing).toEqual({ users: [], count: 0 });
});

test("one's own typing is told at most every three seconds and ends by itself", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1);
  for (let stroke = 0; stroke < 10; stroke += 1) {
    room.typing();
    await scene.clock.advance(400);
  }
  const told = scene.socket.rest().map((frame) => frame.type === "typing" && frame.on);
  expect(told).toEqual([true, true]);
  await scene.clock.advance(5_000);
  expect(scene.socket.rest()).toMatchObject([{ type: "typing", on: false }]);
  room.typing();
  room.send("done");
  expect(scene.socket.rest()).toMatchObject([{ on: true }, { on: false }, { type: "chat.send" }]);
});

test("read markers go forward, at most one a second, and are told again after a reconnect", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [], {
    read: [
      { user: "ada", seq: 2 },
      { user: "ben", seq: 5 },
    ],
  });
  expect(room.state.readSeq).toBe(2);
  expect(room.state.read.get("ben")).toBe(5);
  for (const seq of [3, 6, 4, 8]) room.markRead(seq);
  expect(scene.socket.next("chat.read").seq).toBe(3);
  expect(scene.socket.rest()).toEqual([]);
  await scene.clock.advance(1000);
  expect(scene.socket.next("chat.read").seq).toBe(8);
  await scene.reconnect();
  await scene.welcome();
  const open = scene.socket.next("room.open");
  await scene.socket.say(ack(open.id, { ...resumed("r", 9, 9), read: [{ user: "ada", seq: 3 }] }));
  expect(scene.socket.next("chat.read").seq).toBe(8);
});

test("a thousand events in one go are one change", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 0);
  let changes = 0;
  const events: RoomEvent[] = [];
  room.on("change", () => (changes += 1));
  room.on("event", (event) => events.push(event));
  const frames = Array.from({ length: 1000 }, (_, index) => sent(index + 1, `m${index}`));
  await scene.socket.say(...frames);
  expect(events).toHaveLength(1000);
  expect(room.state.messages).toHaveLength(1000);
  expect(changes).toBe(1);
});

test("state is the same object until something changes, and unchanged messages stay the same objects", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  const before = room.state;
  expect(room.state).toBe(before);
  await scene.socket.say(sent(2, "two"));
  expect(room.state).not.toBe(before);
  expect(room.state.messages[0]).toBe(before.messages[0]);
});

test("a room that was closed goes on from its cursor when it is opened again", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 1, [message(1, "one")]);
  room.close();
  expect(scene.socket.next("room.close").room).toBe("r");
  await scene.socket.say(sent(2, "not heard"));
  expect(texts(room)).toEqual(["one"]);
  void room.open();
  await settle();
  expect(scene.socket.next("room.open").since?.seq).toBe(1);
});
