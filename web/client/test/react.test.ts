// @vitest-environment happy-dom
import { act, createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  StoaProvider,
  useClientEvent,
  useConnection,
  useMessages,
  usePresence,
  useProfiles,
  useRoom,
  useRooms,
  useTyping,
} from "../src/react.ts";
import { ack, message, Scene, sent, settle, snapshot } from "./fake.ts";

beforeEach(() => void vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true));
afterEach(() => void vi.unstubAllGlobals());

async function show(scene: Scene, component: () => unknown) {
  const place = document.createElement("div");
  const root = createRoot(place);
  const tree = createElement(StoaProvider, { client: scene.client }, createElement(component as () => null));
  await act(async () => root.render(createElement(StrictMode, null, tree)));
  return { place, end: () => act(async () => root.unmount()) };
}

test("a chat is a few hooks: it opens its room, follows it, and closes it at its end", async () => {
  const scene = new Scene({ store: null });
  await scene.welcome();
  const mention = vi.fn();
  const renders = { chat: 0 };
  function Chat() {
    const { status } = useConnection();
    const room = useRoom("r");
    const { messages, send } = useMessages(room);
    const name = useProfiles();
    useClientEvent("mention", mention);
    renders.chat += 1;
    return createElement(
      "button",
      { type: "button", onClick: () => send("typed") },
      `${status}: ${messages.map(({ from, text }) => `${name(from ?? "").name} ${text}`).join()}`,
    );
  }
  const { place, end } = await show(scene, Chat);
  await act(async () => {
    // Strict mode mounts twice; the room stays open over it.
    const open = scene.socket.next("room.open");
    await scene.socket.say(ack(open.id, snapshot("r", 1, [message(1, "one")], { profiles: { ben: { name: "Ben" } } })));
  });
  expect(scene.socket.rest()).toEqual([]);
  expect(place.textContent).toBe("connected: Ben one");
  const before = renders.chat;
  await act(() => scene.socket.say({ type: "typing", room: "r", users: ["ben"], count: 1 }));
  expect(renders.chat).toBe(before);
  await act(() => scene.socket.say(sent(2, "two")));
  expect(place.textContent).toBe("connected: Ben one,Ben two");
  await act(async () => place.querySelector("button")?.click());
  expect(scene.socket.next("chat.send").text).toBe("typed");
  await act(() => scene.socket.say({ type: "user.mentioned", user_seq: 1, at: 5, from: "ben", room: "r", message: 2 }));
  expect(mention).toHaveBeenCalledOnce();
  await end();
  await settle();
  expect(scene.socket.next("room.close").room).toBe("r");
  scene.client.close();
});

test("people, typing and the room list change what shows them and nothing else", async () => {
  const scene = new Scene({ list: true, store: null });
  await scene.welcome();
  await scene.socket.say(ack(scene.socket.next("room.list").id, { kind: "rooms", rooms: [] }));
  const turns = { people: 0, typing: 0 };
  function People() {
    turns.people += 1;
    return `${usePresence(useRoom("r")).online} here`;
  }
  function Typing() {
    turns.typing += 1;
    return `${useTyping(useRoom("r")).users.join()} types`;
  }
  const All = () => [
    createElement(People, { key: 1 }),
    createElement(Typing, { key: 2 }),
    `${useRooms().length} rooms`,
  ];
  const { place, end } = await show(scene, All);
  await act(async () => scene.socket.say(ack(scene.socket.next("room.open").id, snapshot("r", 1))));
  const { people, typing } = turns;
  await act(() => scene.socket.say({ type: "typing", room: "r", users: ["ben"], count: 1 }));
  expect(turns.people).toBe(people);
  expect(turns.typing).toBeGreaterThan(typing);
  const info = { room: "r", kind: "group", title: "R", created_at: 0 };
  await act(() =>
    scene.socket.say(
      { type: "presence", room: "r", online: 2, changed: [{ user: "ben", state: "online" }] },
      { type: "list", entry: { info, role: "member", head: 1, read: 0, unread: 1, mentions: 0 } },
    ),
  );
  expect(place.textContent).toBe("2 hereben types1 rooms");
  await end();
  scene.client.close();
});
