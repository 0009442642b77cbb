// Ringing: from inside a call, on devices that nobody looks at, and in vain.
import { control, FAKE_DEVICES, isInCall, joinCall, makeRoom } from "./calls.ts";
import { expect, type Person, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

const toast = (who: Person) => who.page.locator(".toasts");
const ring = (who: Person) => who.page.getByTestId("ring");

declare global {
  interface Window {
    /** What the browser would show. */
    notes: { title: string; isClosed: boolean }[];
  }
}

/** Turns away from a page that may notify: headless browsers show nothing, so what would be shown is kept. */
async function lookAway(who: Person): Promise<void> {
  await who.page.addInitScript(() => {
    const notes: { title: string; isClosed: boolean }[] = [];
    class Kept {
      static permission = "granted";
      onclick: (() => void) | null = null;
      readonly #note: { title: string; isClosed: boolean };
      constructor(title: string) {
        this.#note = { title, isClosed: false };
        notes.push(this.#note);
      }
      close() {
        this.#note.isClosed = true;
      }
    }
    Object.assign(window, { Notification: Kept, notes });
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
    localStorage.setItem("stoa.settings", JSON.stringify({ notify: true }));
  });
  await who.page.reload();
  await who.isIn();
}

const notes = (who: Person) => who.page.evaluate(() => window.notes);

test("somebody in the call rings another from the list of people, who declines, is rung again and answers", async ({
  people,
  server,
}) => {
  await makeRoom(server, "maths", "Ada", ["Ben", "Cyd"]);
  const ada = await people("Ada", { path: "/r/maths" });
  // Wherever in the page they are.
  const ben = await people("Ben");
  await joinCall(ada);
  await expect(ring(ben)).toHaveCount(0);
  await control(ada, "People in the call").click();
  const row = ada.page.getByTestId("call-people").locator("li", { hasText: "Ben" });
  await row.getByRole("button", { name: "Ring", exact: true }).click();
  await expect(row.getByRole("button", { name: "Ringing…" })).toBeDisabled();
  await expect(ada.page.getByTestId("call-notes")).toContainText("Ringing Ben…");
  await expect(ring(ben)).toContainText("Ada calls you");
  await expect(ring(ben)).toContainText("in maths");
  await ring(ben).getByRole("button", { name: "Decline" }).click();
  await expect(toast(ada)).toContainText("Ben has declined");
  await expect(ring(ben)).toHaveCount(0);
  await row.getByRole("button", { name: "Ring", exact: true }).click();
  await ring(ben).getByRole("button", { name: "Answer", exact: true }).click();
  await isInCall(ada, 2);
  await isInCall(ben, 2);
  // Answered with the voice alone.
  await expect(control(ben, "Mute")).toBeVisible();
  await expect(control(ben, "Switch camera on")).toBeVisible();
});

test("a call is told by the browser to who does not look, and silent as soon as another device answers", async ({
  people,
}) => {
  const here = await people("Ada");
  const there = await people("Ada");
  const ben = await people("Ben");
  await lookAway(there);
  await ben.page.getByTestId("people").getByRole("button", { name: /Ada/ }).click();
  await ben.page.getByRole("dialog").getByRole("button", { name: "Send a message" }).click();
  await expect(ben.page.getByRole("heading", { name: "Ada", level: 2 })).toBeVisible();
  await joinCall(ben);
  await expect(ring(there)).toContainText("Ben calls you");
  await expect.poll(() => notes(there)).toEqual([{ title: "Ben calls you", isClosed: false }]);
  await ring(here).getByRole("button", { name: "Answer", exact: true }).click();
  await isInCall(here, 2);
  await expect(ring(there)).toHaveCount(0);
  await expect.poll(() => notes(there)).toEqual([{ title: "Ben calls you", isClosed: true }]);
  // Answered is not missed.
  await expect(toast(there)).not.toContainText("Missed call");
  await control(here, "Leave").click();

  // Rung in vain.
  await ben.page.getByTestId("call-over").getByRole("button", { name: "Call again" }).click();
  await joinCall(ben);
  await expect(ring(here)).toBeVisible();
  await expect(ring(there)).toBeVisible();
  await control(ben, "Leave").click();
  for (const each of [here, there]) {
    await expect(ring(each)).toHaveCount(0);
    await expect(toast(each)).toContainText("Missed call from Ben");
  }
  await expect
    .poll(async () => (await notes(there)).filter(({ isClosed }) => !isClosed).map(({ title }) => title))
    .toEqual(["Missed call from Ben"]);
});
