// People in calls: fake cameras and microphones, and what statistics say of the links between them.
import type { Locator } from "@playwright/test";
import { expect, type Person } from "./people.ts";

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
