import { expect, test } from "vitest";
import type { Message } from "../src/index.ts";
import { ack, message, Scene, sent, settle, texts } from "./fake.ts";

const page = (messages: Message[], more_before: boolean, more_after: boolean) => ({
  kind: "messages",
  messages,
  more_before,
  more_after,
});

test("a place far away is shown alone, follows changes but not the newest, and is joined when they meet", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 90, [message(89, "89"), message(90, "90")], { more: true });
  const going = room.goTo(40);
  const ask = scene.socket.next("chat.history");
  expect(ask).toMatchObject({ room: "r", around: 40, limit: 50 });
  // Nothing changes before it is there, and what happens meanwhile is not lost.
  expect(texts(room)).toEqual(["89", "90"]);
  await scene.socket.say({ type: "chat.edited", room: "r", seq: 91, at: 7, from: "ben", target: 40, text: "edited" });
  await scene.socket.say(ack(ask.id, page([message(39, "39"), message(40, "40")], true, true)));
  expect(await going).toBe(true);
  expect(texts(room)).toEqual(["39", "edited"]);
  expect(room.state).toMatchObject({ more: true, moreAfter: true, newest: 90 });

  await scene.socket.say(sent(92, "92"), {
    type: "chat.reacted",
    room: "r",
    seq: 93,
    at: 8,
    from: "ben",
    target: 39,
    emoji: "x",
    on: true,
  });
  expect(texts(room)).toEqual(["39", "edited"]);
  expect(room.state.messages[0]?.reactions).toHaveLength(1);
  expect(room.state.newest).toBe(92);

  const newer = room.loadNewer();
  const next = scene.socket.next("chat.history");
  expect(next).toMatchObject({ after: 40 });
  await scene.socket.say(ack(next.id, page([message(60, "60"), message(89, "89")], true, true)));
  expect(await newer).toBe(false);
  expect(texts(room)).toEqual(["39", "edited", "60", "89", "90", "92"]);
  expect(room.state).toMatchObject({ more: true, moreAfter: false });
  const older = room.loadOlder();
  expect(scene.socket.next("chat.history")).toMatchObject({ before: 39 });
  scene.client.close();
  await older.catch(() => {});
});

test("a place that overlaps what is here is joined at once, and the newest are one call away", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [message(8, "8"), message(9, "9")], { more: true });
  const going = room.goTo(7);
  await scene.socket.say(
    ack(scene.socket.next("chat.history").id, page([message(6, "6"), message(7, "7"), message(8, "8")], false, true)),
  );
  expect(await going).toBe(true);
  expect(texts(room)).toEqual(["6", "7", "8", "9"]);
  expect(room.state).toMatchObject({ more: false, moreAfter: false });
  expect(await room.goTo(8)).toBe(true);
  expect(scene.socket.rest()).toEqual([]);
});

test("going to the newest is not undone by a place that comes late, nor is a place that is none", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 90, [message(90, "90")], { more: true });
  const going = room.goTo(40);
  const ask = scene.socket.next("chat.history");
  room.toNewest();
  await scene.socket.say(ack(ask.id, page([message(40, "40")], true, true)));
  expect(await going).toBe(false);
  expect(texts(room)).toEqual(["90"]);
  const nowhere = room.goTo(41);
  await scene.socket.say(ack(scene.socket.next("chat.history").id, page([message(40, "40")], true, true)));
  expect(await nowhere).toBe(false);
  room.toNewest();
  expect(texts(room)).toEqual(["90"]);
});

test("a thread loads its newest, takes what is sent into it, and tells the message above", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [message(5, "root", { replies: 1 })]);
  const thread = room.thread(5);
  const loading = thread.load();
  expect(thread.state.phase).toBe("loading");
  const ask = scene.socket.next("chat.history");
  expect(ask).toMatchObject({ room: "r", thread: 5 });
  expect([ask.before, ask.after, ask.around]).toEqual([undefined, undefined, undefined]);
  await scene.socket.say(sent(10, "while asked", "ben", { thread: 5 }));
  await scene.socket.say(ack(ask.id, page([message(7, "one", { thread: 5 })], true, false)));
  await loading;
  await scene.socket.say(sent(11, "later", "ben", { thread: 5 }), sent(12, "elsewhere", "ben", { thread: 9 }));
  expect(thread.state.messages.map(({ text }) => text)).toEqual(["one", "while asked", "later"]);
  expect(thread.state.more).toBe(true);
  expect(room.state.messages[0]?.replies).toBe(3);
  thread.close();
  await scene.socket.say(sent(13, "unheard", "ben", { thread: 5 }));
  expect(thread.state.messages).toHaveLength(3);
});

test("a reply that is deleted is one less above its thread, from the moment that it is asked for", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 9, [message(5, "root", { replies: 2 })]);
  const thread = room.thread(5);
  const loading = thread.load();
  const replies = [message(7, "one", { thread: 5 }), message(8, "two", { thread: 5 })];
  await scene.socket.say(ack(scene.socket.next("chat.history").id, page(replies, false, false)));
  await loading;
  const shown = () => room.state.messages[0]?.replies;
  void room.delete(8);
  await settle();
  expect(thread.state.messages.at(-1)).toMatchObject({ deleted: true, pending: true });
  expect(shown()).toBe(1);
  const { id } = scene.socket.next("chat.delete");
  // The event comes before the answer to the command: it is counted once.
  await scene.socket.say({ type: "chat.deleted", room: "r", seq: 10, at: 9, from: "ada", target: 8, thread: 5 });
  expect(shown()).toBe(1);
  await scene.socket.say(ack(id, { kind: "seq", room: "r", seq: 10 }));
  expect(shown()).toBe(1);
  expect(thread.state.messages.at(-1)?.pending).toBeUndefined();
});

test("a reply that comes while a place is read on to the newest is counted once", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 90, [message(80, "newest")]);
  const going = room.goTo(5);
  await scene.socket.say(ack(scene.socket.next("chat.history").id, page([message(5, "root")], false, true)));
  expect(await going).toBe(true);
  const reading = room.loadNewer();
  const ask = scene.socket.next("chat.history");
  await scene.socket.say(sent(91, "aside", "ben", { thread: 5 }));
  await scene.socket.say(ack(ask.id, page([message(6, "next"), message(80, "newest")], true, false)));
  await reading;
  expect(room.state.messages.find(({ seq }) => seq === 5)?.replies).toBe(1);
});

test("a message that is looked at is asked for once and follows its changes", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 90, [message(90, "90")], { more: true });
  room.look(3);
  room.look(3);
  const ask = scene.socket.next("chat.history");
  expect(ask).toMatchObject({ around: 3, limit: 1 });
  await scene.socket.say(ack(ask.id, page([message(3, "three")], true, true)));
  await scene.socket.say({ type: "chat.deleted", room: "r", seq: 91, at: 7, from: "ben", target: 3 });
  expect(room.state.beside.get(3)).toMatchObject({ deleted: true, text: "" });
  expect(scene.socket.rest()).toEqual([]);
});

test("the messages are the same array until one of them changes", async () => {
  const scene = new Scene();
  await scene.welcome();
  const room = await scene.open("r", 2, [message(1, "one"), message(2, "two")]);
  const { messages } = room.state;
  await scene.socket.say({ type: "typing", room: "r", users: ["ben"], count: 1 });
  expect(room.state.typing.count).toBe(1);
  expect(room.state.messages).toBe(messages);
  void room.react(1, "x", true);
  expect(room.state.messages).not.toBe(messages);
  expect(room.state.messages[0]).toMatchObject({ pending: true });
});
