// People in calls: fake cameras and microphones, and what statistics say of the links between them.
import type { Locator, Page } from "@playwright/test";
import { expect, type Person } from "./people.ts";
import type { Server } from "./server.ts";

/** What Chromium needs to have devices without anybody to be asked. */
export const FAKE_DEVICES = [
  "--use-fake-device-for-media-stream=fps=15",
  "--use-fake-ui-for-media-stream",
  "--auto-accept-this-tab-capture",
  "--auto-select-desktop-capture-source=Entire screen",
  // Several pages share this machine; those behind others shall not stop drawing.
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-background-timer-throttling",
];

export const stage = (who: Person): Locator => who.page.getByTestId("call-stage");
export const controls = (who: Person): Locator => who.page.getByTestId("call-controls");
export const control = (who: Person, name: string): Locator => controls(who).getByRole("button", { name, exact: true });
/** The tile of somebody; their user id is their name in small letters on a development server. */
export const tile = (who: Person, other: string): Locator =>
  who.page.getByTestId("tiles").locator(`[data-testid=tile][aria-label^="${other}"]`);

async function ask(server: Server, method: string, path: string, body: object, token?: string) {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(`${server.url}${path}`, { method, headers, body: JSON.stringify(body) });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`);
  return JSON.parse(answer) as Record<string, string>;
}

const logIn = (server: Server, name: string) => ask(server, "POST", "/v1/dev/login", { name });

/** A room with a host and members, who are known by their names on a development server. */
export async function makeRoom(server: Server, room: string, host: string, members: string[]): Promise<void> {
  const { token } = await logIn(server, host);
  const member = async (name: string) => ({ user: (await logIn(server, name)).user, role: "member" });
  const users = await Promise.all(members.map(member));
  await ask(server, "PUT", `/v1/rooms/${room}`, { kind: "group", title: room, members: users }, token);
}

/** People in a room's call without devices or a picture of it, all in one page: for its protocol they are like others. */
export async function crowd(page: Page, server: Server, room: string, names: string[]): Promise<Crowd> {
  const tokens = await Promise.all(names.map(async (name) => (await logIn(server, name)).token));
  // A document of the server's own, without the page: browsers let no other one connect to this machine.
  await page.goto(`${server.url}/client/v1.js`);
  await page.evaluate(
    async ([tokens, room]) => {
      const { connect } = await import(new URL("/client/v1.js", location.href).href);
      const key = () => crypto.getRandomValues(new Uint32Array(2)).join("-");
      const leave: (() => Promise<void>)[] = [];
      for (const token of tokens) {
        const client = connect({ url: new URL("/v1/ws", location.href), token: () => token });
        await client.room(room).open();
        // Joins where one runs.
        const { call } = await client.query({ type: "call.start", room, key: key() });
        leave.push(() => client.ask({ type: "call.leave", room, key: key(), call: call.call }));
      }
      Object.assign(window, { leave });
    },
    [tokens, room] as const,
  );
  return {
    leaves: (index) =>
      page.evaluate((index) => (window as unknown as { leave: (() => Promise<void>)[] }).leave[index]?.(), index),
  };
}

export interface Crowd {
  /** One of them leaves the call. */
  leaves(index: number): Promise<void>;
}

/** Answers to `getByRole` in a menu that a button opens. */
export async function choose(who: Person, button: Locator, item: string): Promise<void> {
  await button.click();
  await who.page.getByRole("menuitem", { name: item, exact: true }).click();
}

/** Goes to the room's call and joins it. */
export async function joinCall(who: Person): Promise<void> {
  if (!(await stage(who).isVisible())) await who.page.getByTestId("call-toggle").click();
  await expect(who.page.getByTestId("join")).toBeEnabled();
  // The preview shows the camera: the devices are open.
  await expect(stage(who).locator("video")).toBeVisible();
  await who.page.getByTestId("join").click();
}

/** Waits until somebody is in the call with so many tiles, all of whose links are up. */
export async function isInCall(who: Person, people: number): Promise<void> {
  await expect(who.page.getByTestId("tile")).toHaveCount(people);
  await expect(who.page.locator("[data-testid=tile][data-connection=connected]")).toHaveCount(people - 1);
}

/** Frames decoded on each link so far. */
export async function frames(who: Person): Promise<number[]> {
  return who.page.evaluate(async () => {
    const stats = await window.stoa?.call?.stats();
    return [...(stats?.values() ?? [])].map(({ framesDecoded }) => framesDecoded);
  });
}

/** Waits until frames have risen on every one of so many links. */
export async function seesAll(who: Person, links: number): Promise<void> {
  const before = await frames(who);
  await expect
    .poll(async () => {
      const now = await frames(who);
      return now.length === links && now.every((count, link) => count > (before[link] ?? 0) + 2);
    })
    .toBe(true);
}

interface Counters {
  framesDecoded: number;
  relayed: boolean;
}

declare global {
  interface Window {
    /** The page's own: see web/app/src/call/desk.ts. */
    stoa?: { readonly call?: { stats(): Promise<ReadonlyMap<string, Counters>> } };
  }
}
