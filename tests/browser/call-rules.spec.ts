// Who comes into a call and who speaks in it: its bounds, and a host's word, as the page tells them.
import { choose, control, crowd, FAKE_DEVICES, isInCall, joinCall, makeRoom, stage, tile } from "./calls.ts";
import { expect, type Person, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

const over = (who: Person) => who.page.getByTestId("call-over");
const toast = (who: Person) => who.page.locator(".toasts");
const panel = (who: Person) => who.page.getByTestId("call-people");
const powers = (who: Person, name: string) =>
  panel(who)
    .locator("[data-testid=call-person]", { hasText: name })
    .getByRole("button", { name: /What you can do/ });

/** The call as the page's own console has it. */
interface Handle {
  media: {
    state: { microphone: boolean };
    setMicrophone(on: boolean): Promise<void>;
    on(event: "change", told: (state: { microphone: boolean }) => void): () => void;
  };
}

test("the seventh is told that the call is full, and comes in when somebody has left", async ({
  people,
  server,
  browser,
}) => {
  const names = ["Ben", "Cyd", "Dan", "Eve", "Fay", "Gus"];
  await makeRoom(server, "maths", "Ada", names);
  const page = await (await browser.newContext()).newPage();
  const six = await crowd(page, server, "maths", names);
  const ada = await people("Ada", { path: "/r/maths" });
  await expect(ada.page.getByTestId("call-bar")).toContainText("Call with Ben, Cyd");
  await joinCall(ada);
  await expect(over(ada)).toHaveAttribute("data-over", "full");
  await expect(over(ada)).toContainText("The call is full: it carries six people. Try again when somebody has left.");
  await six.leaves(5);
  await over(ada).getByRole("button", { name: "Join again" }).click();
  await joinCall(ada);
  await expect(ada.page.getByTestId("tile")).toHaveCount(6);
  await page.context().close();
});

test("a locked call tells newcomers why they stay outside, and lets those back in who were in it", async ({
  people,
  server,
}) => {
  test.setTimeout(90_000);
  await makeRoom(server, "maths", "Ada", ["Ben", "Cyd"]);
  const ada = await people("Ada", { path: "/r/maths" });
  const ben = await people("Ben", { path: "/r/maths" });
  const cyd = await people("Cyd", { path: "/r/maths" });
  await joinCall(ada);
  await joinCall(cyd);
  await isInCall(cyd, 2);
  await control(ada, "People in the call").click();
  const lock = panel(ada).getByRole("switch", { name: /Lock the call/ });
  await panel(ada).getByText("Lock the call").click();
  await expect(lock).toBeChecked();

  await ben.page.getByTestId("call-toggle").click();
  const why = "The call is locked: only those who were in it may come back.";
  await expect(stage(ben)).toContainText(why);
  await joinCall(ben);
  await expect(over(ben)).toHaveAttribute("data-over", "forbidden");
  await expect(over(ben)).toContainText(why);
  await expect(ada.page.getByTestId("tile")).toHaveCount(2);

  await control(cyd, "Leave").click();
  await over(cyd).getByRole("button", { name: "Join again" }).click();
  await joinCall(cyd);
  await isInCall(cyd, 2);

  await panel(ada).getByText("Lock the call").click();
  await expect(lock).not.toBeChecked();
  await over(ben).getByRole("button", { name: "Join again" }).click();
  await expect(stage(ben)).not.toContainText(why);
  await joinCall(ben);
  await isInCall(ben, 3);
});

test("a host mutes all, who may unmute, and one for good, whose unmute is refused", async ({ people, server }) => {
  test.setTimeout(90_000);
  await makeRoom(server, "maths", "Ada", ["Ben", "Cyd"]);
  const ada = await people("Ada", { path: "/r/maths" });
  const ben = await people("Ben", { path: "/r/maths" });
  const cyd = await people("Cyd", { path: "/r/maths" });
  for (const each of [ada, ben, cyd]) await joinCall(each);
  for (const each of [ada, ben, cyd]) await isInCall(each, 3);
  await control(ada, "People in the call").click();

  await panel(ada).getByRole("button", { name: "Mute all" }).click();
  for (const [who, other] of [
    [ben, "Cyd"],
    [cyd, "Ben"],
  ] as const) {
    await expect(toast(who)).toContainText("A host has muted you");
    await expect(control(who, "Unmute")).toBeEnabled();
    await expect(tile(who, other)).toHaveAttribute("data-muted", "true");
    // Not those who moderate.
    await expect(tile(who, "Ada")).toHaveAttribute("data-muted", "false");
  }
  await expect(control(ada, "Mute")).toBeVisible();
  await control(ben, "Unmute").click();
  await expect(tile(cyd, "Ben")).toHaveAttribute("data-muted", "false");

  await choose(ada, powers(ada, "Ben"), "Mute, until I allow it");
  await expect(tile(cyd, "Ben")).toHaveAttribute("data-muted", "true");
  await expect(ben.page.getByTestId("call-notes")).toContainText(
    "A host has muted you. Raise your hand to ask to speak.",
  );
  await expect(control(ben, "Unmute")).toBeDisabled();
  // Whatever Ben's page may send, the others do not play it.
  const voices = (who: Person) => who.page.locator("audio");
  for (const each of [ada, cyd]) await expect(voices(each)).toHaveCount(1);
  // Past the button, as a page of somebody's own might: the server refuses it, and the client obeys.
  const states = await ben.page.evaluate(async () => {
    const { media } = (window as unknown as { stoa: { call: Handle } }).stoa.call;
    const states: boolean[] = [];
    const silent = new Promise<void>((resolve) => {
      media.on("change", ({ microphone }) => {
        if (states.at(-1) !== microphone) states.push(microphone);
        if (states.length > 1 && !microphone) resolve();
      });
    });
    await media.setMicrophone(true);
    await silent;
    return states;
  });
  expect(states).toEqual([true, false]);
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await expect(tile(cyd, "Ben")).toHaveAttribute("data-muted", "true");

  await choose(ada, powers(ada, "Ben"), "Allow to speak");
  await control(ben, "Unmute").click();
  await expect(tile(cyd, "Ben")).toHaveAttribute("data-muted", "false");
  for (const each of [ada, cyd]) await expect(voices(each)).toHaveCount(2);
});
