// What of a call is the browser's: pictures above all windows, sound that waits for a click, tabs that are closed; and
// what the list of rooms tells of calls.
import { control, crowd, FAKE_DEVICES, isInCall, joinCall, makeRoom, seesAll, tile } from "./calls.ts";
import { expect, type Person, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

async function both(one: Person, other: Person): Promise<void> {
  for (const each of [one, other]) await joinCall(each);
  for (const each of [one, other]) await isInCall(each, 2);
}

test("the largest picture of another is put above all windows where the browser can, and back", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  for (const [who, can] of [
    [ada, true],
    [ben, false],
  ] as const) {
    // Headless browsers have no windows: what is asked of them is kept.
    await who.page.addInitScript((can) => {
      let shown: Element | null = null;
      Object.defineProperty(document, "pictureInPictureEnabled", { get: () => can });
      Object.defineProperty(document, "pictureInPictureElement", { get: () => shown });
      HTMLVideoElement.prototype.requestPictureInPicture = async function request() {
        shown = this;
        return {} as PictureInPictureWindow;
      };
      document.exitPictureInPicture = async () => {
        shown = null;
      };
    }, can);
    await who.page.reload();
    await who.isIn();
  }
  await both(ada, ben);
  await seesAll(ada, 1);
  await expect(control(ben, "Leave")).toBeVisible();
  await expect(control(ben, "Picture in picture")).toHaveCount(0);
  const whose = () =>
    ada.page.evaluate(() => document.pictureInPictureElement?.closest("[data-testid=tile]")?.getAttribute("data-user"));
  await control(ada, "Picture in picture").click();
  await expect.poll(whose).toBe("ben");
  await control(ada, "Picture in picture").click();
  await expect.poll(whose).toBeUndefined();
});

test("where the browser wants a click before it sounds, a button says so and gives it", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await ben.page.addInitScript(() => {
    let isAllowed = false;
    const play = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function ask(this: HTMLMediaElement) {
      if (this instanceof HTMLVideoElement || isAllowed) return play.call(this);
      this.pause();
      return Promise.reject(new DOMException("", "NotAllowedError"));
    };
    Object.assign(window, { allowSound: () => (isAllowed = true) });
  });
  await ben.page.reload();
  await ben.isIn();
  await both(ada, ben);
  const unlock = ben.page.getByTestId("call-unlock");
  await expect(unlock).toHaveText("Click to hear the others");
  // A click that was not enough leaves the button where it is.
  await unlock.click();
  await expect(unlock).toBeVisible();
  const isPaused = () => ben.page.locator("audio").evaluate((audio: HTMLAudioElement) => audio.paused);
  expect(await isPaused()).toBe(true);
  await ben.page.evaluate(() => (window as unknown as { allowSound: () => void }).allowSound());
  await unlock.click();
  await expect(unlock).toHaveCount(0);
  await expect.poll(isPaused).toBe(false);
  await expect(ada.page.getByTestId("call-unlock")).toHaveCount(0);
});

test("whose tab is closed is grey at once, and gone before the time of a lost connection", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await both(ada, ben);
  await seesAll(ada, 1);
  await ben.page.close();
  await expect(tile(ada, "Ben")).toHaveAttribute("data-connection", "interrupted");
  await expect(tile(ada, "Ben")).toContainText("Interrupted, trying to come back…");
  // A page that is loaded anew has ten seconds, a lost connection thirty.
  await expect(ada.page.getByTestId("tile")).toHaveCount(1, { timeout: 25_000 });
});

test("the list of rooms marks the ones in which a call runs, also those that were never opened", async ({
  people,
  server,
  browser,
}) => {
  await makeRoom(server, "maths", "Cyd", ["Ada", "Ben"]);
  const ada = await people("Ada");
  const row = ada.page.getByRole("link", { name: /maths/ });
  await expect(row).toBeVisible();
  const mark = ada.page.getByRole("link", { name: /maths.*A call runs here/ });
  await expect(mark).toHaveCount(0);
  const page = await (await browser.newContext()).newPage();
  const others = await crowd(page, server, "maths", ["Ben", "Cyd"]);
  await expect(mark).toBeVisible();
  // It is in the list that a page asks for when it comes, too.
  await ada.page.reload();
  await expect(mark).toBeVisible();
  await others.leaves(0);
  await others.leaves(1);
  await expect(row).toBeVisible();
  await expect(mark).toHaveCount(0);
  await page.context().close();
});
