// Calls between real browsers through a real server: fake devices, true media.
import { isAccessible } from "./axe.ts";
import { choose, control, FAKE_DEVICES, frames, isInCall, joinCall, makeRoom, seesAll, stage, tile } from "./calls.ts";
import { expect, type Person, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

const over = (who: Person) => who.page.getByTestId("call-over");
const toast = (who: Person) => who.page.locator(".toasts");
const person = (who: Person, name: string) =>
  who.page.getByTestId("call-people").locator("[data-testid=call-person]", { hasText: name });

test("two see each other, mute, share a screen beside the camera, and leave", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await joinCall(ada);
  await expect(ada.page.getByTestId("call-notes")).toContainText("You are the only one here.");
  await expect(ben.page.getByTestId("call-bar")).toContainText("Call with Ada");
  await expect(ben.page.getByRole("link", { name: /Lobby.*A call runs here/ })).toBeVisible();
  await joinCall(ben);
  await isInCall(ada, 2);
  await isInCall(ben, 2);
  await Promise.all([seesAll(ada, 1), seesAll(ben, 1)]);
  const took = await ben.page.evaluate(() => performance.getEntriesByName("stoa.first-picture")[0]?.duration);
  expect(took).toBeGreaterThan(0);
  console.log(`from pressing Join to the first picture: ${Math.round(took ?? 0)} ms`);
  await isAccessible(ada.page, "in a call");

  // By key and by button; a muted microphone is one for everybody.
  await stage(ben).press("m");
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await expect(tile(ada, "Ben")).toHaveAccessibleName(/Muted/);
  await control(ben, "Unmute").click();
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "false");
  await stage(ben).press("v");
  await expect(tile(ada, "Ben").locator("video")).toHaveCount(0);
  await stage(ben).press("v");
  await expect(tile(ada, "Ben").locator("video")).toHaveCount(1);

  await control(ben, "Share your screen").click();
  const screen = ada.page.getByTestId("screen");
  await expect(screen).toHaveAccessibleName("Screen of Ben");
  const size = () => screen.locator("video").evaluate((video: HTMLVideoElement) => video.videoWidth);
  await expect.poll(size).toBeGreaterThan(0);
  await expect(tile(ada, "Ben").locator("video")).toHaveCount(1);
  await seesAll(ada, 1);
  await control(ben, "Stop sharing").click();
  await expect(screen).toHaveCount(0);

  // The chat goes on beside the call, and the call beside the chat.
  await ben.say("Can you hear me?");
  await expect(ada.message("Can you hear me?")).toBeVisible();
  await ada.page.getByTestId("call-toggle").click();
  await expect(ada.page.getByTestId("call-dock")).toBeVisible();
  await seesAll(ada, 1);
  await isAccessible(ada.page, "the call in a corner");
  await ada.page.getByTestId("call-dock").getByText("Back to the call").click();
  await isInCall(ada, 2);

  await control(ben, "Leave").click();
  await expect(stage(ben)).toContainText("You have left the call.");
  await expect(ada.page.getByTestId("tile")).toHaveCount(1);
  await control(ada, "Leave").click();
  await over(ada).getByRole("button", { name: "Call again" }).click();
  await expect(ada.page.getByTestId("call-history").getByRole("listitem")).toContainText(["Ada and Ben"]);
  await expect(ada.page.getByTestId("note").filter({ hasText: "Ada started a call" })).toBeVisible();
  await expect(ada.page.getByTestId("note").filter({ hasText: "The call ended" })).toBeVisible();
  await isAccessible(ada.page, "before a call");
});

test("three: hands in their order, and a host who mutes, locks, lets in, removes and ends", async ({
  people,
  server,
}) => {
  test.setTimeout(120_000);
  await makeRoom(server, "maths", "Ada", ["Ben", "Cyd"]);
  const ada = await people("Ada", { path: "/r/maths" });
  const ben = await people("Ben", { path: "/r/maths" });
  const cyd = await people("Cyd", { path: "/r/maths" });
  await ada.page.getByTestId("call-toggle").click();
  await ada.page.getByText("With a lobby").click();
  await joinCall(ada);
  await joinCall(ben);
  await expect(ben.page.getByTestId("in-lobby")).toContainText("You are in the lobby");
  await isAccessible(ben.page, "in the lobby");
  await expect(toast(ada)).toContainText("Ben waits to be let in");
  await control(ada, "People in the call").click();
  const knock = ada.page.getByTestId("knock");
  await knock.getByRole("button", { name: "Let in" }).click();
  await isInCall(ben, 2);
  await joinCall(cyd);
  await expect(knock).toContainText("Cyd");
  await knock.getByRole("button", { name: "Send away" }).click();
  await expect(over(cyd)).toContainText("A host has not let you in.");
  await cyd.page.getByRole("button", { name: "To the chat" }).first().click();
  await ada.page.getByTestId("call-people").getByText("Lobby").click();
  await joinCall(cyd);
  for (const each of [ada, ben, cyd]) await isInCall(each, 3);
  await Promise.all([ada, ben, cyd].map((each) => seesAll(each, 2)));
  await isAccessible(ada.page, "a host in a call");

  await stage(cyd).press("h");
  await expect(tile(ada, "Cyd").locator(".tile-hand")).toHaveText("1");
  await control(ben, "Raise hand").click();
  await expect(tile(ada, "Ben").locator(".tile-hand")).toHaveText("2");
  await choose(ada, person(ada, "Cyd").getByRole("button", { name: /What you can do/ }), "Lower hand");
  await expect(tile(ada, "Ben").locator(".tile-hand")).toHaveText("1");
  await expect(control(cyd, "Raise hand")).toBeVisible();

  const powers = person(ada, "Ben").getByRole("button", { name: /What you can do/ });
  await choose(ada, powers, "Mute");
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await expect(toast(ben)).toContainText("A host has muted you");
  await control(ben, "Unmute").click();
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "false");
  await choose(ada, powers, "Mute, until I allow it");
  await expect(tile(cyd, "Ben")).toHaveAttribute("data-muted", "true");
  await expect(control(ben, "Unmute")).toBeDisabled();
  await stage(ben).press("m");
  await expect(control(ben, "Unmute")).toBeDisabled();
  await choose(ada, powers, "Allow to speak");
  await control(ben, "Unmute").click();
  await expect(tile(cyd, "Ben")).toHaveAttribute("data-muted", "false");

  // The peers drop the media of who was removed.
  await choose(ada, person(ada, "Cyd").getByRole("button", { name: /What you can do/ }), "Remove from call");
  await expect(over(cyd)).toContainText("A host has removed you from the call.");
  await expect(over(cyd).getByRole("button", { name: "Join again" })).toHaveCount(0);
  for (const each of [ada, ben]) {
    await isInCall(each, 2);
    await expect.poll(async () => (await frames(each)).length).toBe(1);
  }

  await choose(ada, control(ada, "More"), "End for everybody");
  await ada.page.getByRole("dialog").getByRole("button", { name: "End for everybody" }).click();
  await expect(over(ben)).toContainText("The call was ended.");
  await expect(ada.page.getByTestId("call-toggle")).toHaveAccessibleName("Call");
});

test("a call rings on all devices of who is called, and is answered or declined once", async ({ people }) => {
  test.setTimeout(120_000);
  const ada = await people("Ada");
  const other = await people("Ada");
  const ben = await people("Ben");
  await ben.page.getByTestId("people").getByRole("button", { name: /Ada/ }).click();
  await ben.page.getByRole("dialog").getByRole("button", { name: "Send a message" }).click();
  await expect(ben.page.getByRole("heading", { name: "Ada", level: 2 })).toBeVisible();
  await joinCall(ben);
  await expect(ben.page.getByTestId("call-notes")).toContainText("Ringing Ada…");
  const [here, there] = [ada.page.getByTestId("ring"), other.page.getByTestId("ring")];
  await expect(here).toContainText("Ben calls you");
  await expect(there).toContainText("Ben calls you");
  await isAccessible(other.page, "ringing");
  await here.getByRole("button", { name: "Answer with video" }).click();
  await expect(there).toHaveCount(0);
  await isInCall(ada, 2);
  await isInCall(ben, 2);
  await Promise.all([seesAll(ada, 1), seesAll(ben, 1)]);
  // The first to hang up ends it for both.
  await control(ada, "Leave").click();
  await expect(over(ben)).toBeVisible();

  await over(ben).getByRole("button", { name: "Call again" }).click();
  await joinCall(ben);
  await expect(here).toContainText("Ben calls you");
  await there.getByRole("button", { name: "Decline" }).click();
  await expect(here).toHaveCount(0);
  await expect(over(ben)).toContainText("The call was declined.");
});

test("a call on a phone, in French, fits and can be used", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await joinCall(ada);
  await ben.page.evaluate(() => localStorage.setItem("stoa.settings", JSON.stringify({ language: "fr" })));
  await ben.page.reload();
  await ben.isIn();
  await ben.page.getByTestId("call-toggle").tap();
  await expect(stage(ben)).toContainText("Ada est dans l’appel.");
  await isAccessible(ben.page, "before a call on a phone");
  await joinCall(ben);
  await isInCall(ben, 2);
  await seesAll(ben, 1);
  await control(ben, "Lever la main").tap();
  await expect(tile(ada, "Ben").locator(".tile-hand")).toHaveText("1");
  await isAccessible(ben.page, "in a call on a phone");
  expect(await ben.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await control(ben, "Discussion").tap();
  await expect(ben.page.getByTestId("call-dock")).toBeVisible();
  await expect(ben.field).toBeVisible();
});

test("what a call needs is tried before it, and said in words", async ({ people }) => {
  const ada = await people("Ada");
  await ada.page.getByTestId("call-toggle").click();
  await ada.page.getByRole("button", { name: "Check connection" }).click();
  const check = ada.page.getByTestId("check");
  await expect(check).toContainText("Everything works. You can call.");
  for (const name of ["websocket", "clock", "camera", "microphone"]) {
    await expect(check.locator(`[data-check=${name}]`)).toHaveAttribute("data-status", "ok");
  }
  // This server has no relay.
  await expect(check.locator("[data-check=turn_udp]")).toContainText("Not set up");
  await isAccessible(ada.page, "the check of the connection");
});
