// A visit to the chat from the first word to the last, as somebody makes it with a mouse and with a thumb, in each
// language of the page.
import { en } from "../../web/app/src/words/en.ts";
import { fr } from "../../web/app/src/words/fr.ts";
import { isAccessible } from "./axe.ts";
import { expect, type Person, test } from "./people.ts";
import { Seed, WIDE } from "./seed.ts";

test.use({ env: WIDE });

const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** Rests a finger on a message until its actions are there. */
async function rest(person: Person, text: string): Promise<void> {
  const row = person.message(text);
  await row.scrollIntoViewIfNeeded();
  const box = await row.locator(".text").boundingBox();
  if (!box) throw new Error(`${text} is not on the screen`);
  const client = await person.page.context().newCDPSession(person.page);
  const touchPoints = [{ x: box.x + 12, y: box.y + box.height / 2 }];
  await client.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints });
  await expect(person.page.locator(".action-sheet")).toBeVisible();
  await client.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await client.detach();
}

for (const [locale, words] of [
  ["en-GB", en],
  ["fr-FR", fr],
] as const) {
  for (const [device, options] of [
    ["desktop", DESKTOP],
    ["phone", PHONE],
  ] as const) {
    const where = `${device}, ${locale}`;
    const { chat } = words;

    test(`a visit, ${where}`, async ({ people, server }) => {
      const isPhone = device === "phone";
      const seed = new Seed(server);
      await seed.people({ ben: "Ben Carter" });
      await seed.room("hall", "Hall", ["ben", "zoe"]);
      await seed.room("annex", "Annex", ["ben", "zoe"]);
      await seed.say("annex", { from: "ben", text: "The telescope is in the annex" });
      for (let index = 0; index < 60; index += 1) await seed.say("annex", { from: "ben", text: `Filling ${index}` });
      await seed.say("hall", { from: "ben", text: "Which chapter?" });
      const zoe = await people("Zoe", { path: "/r/hall", locale, ...options });
      const { page } = zoe;
      const sheet = page.locator(".action-sheet");
      const thread = page.getByTestId("thread");

      /** What can be done with a message, by the way that this device has. */
      const choose = async (text: string, action: string) => {
        if (isPhone) {
          await rest(zoe, text);
          await sheet.getByRole("menuitem", { name: action, exact: true }).tap();
          return;
        }
        await zoe.message(text).hover();
        const button = zoe.message(text).getByRole("button", { name: action, exact: true });
        await zoe.message(text).getByRole("button", { name: chat.more, exact: true }).first().waitFor();
        await zoe.still();
        if ((await button.count()) > 0) return button.click();
        await zoe.message(text).getByRole("button", { name: chat.more, exact: true }).first().click();
        await page.getByRole("menuitem", { name: action, exact: true }).click();
      };
      const send = async (text: string) => {
        await zoe.field.fill(text);
        await zoe.room.getByRole("button", { name: chat.send, exact: true }).first().click();
        await expect(zoe.message(text)).toBeVisible();
      };

      await test.step("reacts", async () => {
        if (isPhone) {
          await rest(zoe, "Which chapter?");
          await isAccessible(page, `actions, ${where}`);
          await sheet.locator(".sheet-emoji .emoji").first().tap();
        } else {
          await zoe.message("Which chapter?").hover();
          await (await zoe.within(zoe.message("Which chapter?").locator(".tools .quick").first())).click();
        }
        await expect(sheet).toHaveCount(0);
        await expect(zoe.message("Which chapter?").locator(".reaction:not(.add)")).toContainText("1");
      });

      await test.step("answers, edits and deletes", async () => {
        await choose("Which chapter?", chat.reply);
        await expect(zoe.field).toBeFocused();
        await send("The thrid");
        await expect(zoe.message("The thrid").locator(".quote")).toContainText("Which chapter?");
        await choose("The thrid", chat.edit);
        await expect(zoe.field).toHaveValue("The thrid");
        await zoe.field.fill("The third");
        await zoe.room.getByRole("button", { name: chat.save, exact: true }).click();
        await expect(page.locator("article", { hasText: "The third" }).locator(".edited")).toHaveText(words.edited);
        await send("Never mind");
        await choose("Never mind", chat.delete);
        await isAccessible(page, `before deleting, ${where}`);
        await page.getByRole("dialog").getByRole("button", { name: chat.delete, exact: true }).click();
        await expect(page.getByText(words.deleted)).toBeVisible();
      });

      await test.step("answers in a thread, and takes it back", async () => {
        await choose("Which chapter?", chat.thread);
        await expect(thread).toBeVisible();
        await thread.getByRole("textbox").fill("Aside");
        await thread.getByRole("button", { name: chat.send, exact: true }).click();
        await expect(thread.locator("article[data-seq]")).toHaveCount(2);
        await isAccessible(page, `thread, ${where}`);
        const line = page.locator("main.room .timeline[data-testid=timeline] .replies");
        await expect(line).toHaveText(chat.repliesLine(1));
        const aside = thread.locator("article[data-seq]", { hasText: "Aside" });
        if (isPhone) await aside.tap();
        else await aside.hover();
        await aside.getByRole("button", { name: chat.more, exact: true }).locator("visible=true").click();
        await page.getByRole("menuitem", { name: chat.delete, exact: true }).click();
        await page.getByRole("dialog").getByRole("button", { name: chat.delete, exact: true }).click();
        await expect(line).toHaveCount(0);
        await thread.getByRole("button", { name: chat.closePane, exact: true }).click();
        await expect(thread).toHaveCount(0);
      });

      await test.step("finds something in another room, and is led there", async () => {
        const more = page.getByTestId("head-more");
        if (await more.isVisible()) await more.click();
        await page.getByRole("button", { name: chat.searchTitle, exact: true }).click();
        const pane = page.getByTestId("search");
        await pane.getByLabel(chat.searchScope).selectOption("all");
        await pane.getByRole("searchbox").fill("telescope");
        await expect(pane.locator(".hit")).toContainText("Annex");
        await isAccessible(page, `search, ${where}`);
        await pane.locator(".hit").click();
        await expect(page.getByRole("heading", { name: "Annex", level: 2 })).toBeVisible();
        await expect(zoe.message("The telescope is in the annex")).toBeInViewport();
        await expect(zoe.message("The telescope is in the annex")).toBeFocused();
        await page.goBack();
        await expect(page.getByRole("heading", { name: "Hall", level: 2 })).toBeVisible();
      });

      await test.step("keeps what was refused until it is sent or given up", async () => {
        await zoe.isIn();
        await server.kill();
        await expect(zoe.banner).toHaveClass(/shown/);
        await page.context().setOffline(true);
        for (const text of ["Kept one", "Kept two"]) {
          await zoe.field.fill(text);
          await zoe.room.getByRole("button", { name: chat.send, exact: true }).click();
        }
        await expect(zoe.pending).toHaveCount(2);
        await isAccessible(page, `offline, ${where}`);
        await server.start();
        await seed.member("hall", "zoe", "viewer");
        await page.context().setOffline(false);
        const failed = page.locator("article[data-status=failed]");
        await expect(failed).toHaveCount(2, { timeout: 45_000 });
        await expect(failed.first()).toContainText(chat.failed);
        await isAccessible(page, `refused, ${where}`);
        await failed.first().getByRole("button", { name: chat.copy, exact: true }).click();
        await expect(page.getByText(chat.textCopied)).toBeVisible();
        await failed.first().getByRole("button", { name: chat.discard, exact: true }).click();
        await expect(failed).toHaveCount(1);
        await seed.member("hall", "zoe", "member");
        await expect(zoe.field).toBeVisible();
        await failed.getByRole("button", { name: chat.retry, exact: true }).click();
        await expect(zoe.message("Kept two")).toBeVisible();
        await expect(zoe.pending).toHaveCount(0);
        await expect(page.getByText("Kept one")).toHaveCount(0);
      });

      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide).toBeLessThanOrEqual(0);
    });
  }
}

test("the members of a large room are mentioned and searched by, also those who never spoke", async ({
  people,
  server,
}) => {
  const seed = new Seed(server);
  const users = Array.from({ length: 260 }, (_, index) => `s${String(index).padStart(3, "0")}`);
  await seed.people(Object.fromEntries(users.map((user, index) => [user, `Student ${index}`])));
  await seed.people({ zz9: "Quentin Quiet" });
  await seed.room("class", "Class", ["s000", "ada", ...users.slice(1), "zz9"]);
  await seed.say("class", { from: "zz9", text: "I was here" });
  const ada = await people("Ada", { path: "/r/class" });
  await ada.field.pressSequentially("Hello @student 25");
  await expect(ada.page.getByRole("option", { name: "Student 255" })).toBeVisible();
  await ada.field.fill("");
  await ada.field.pressSequentially("Hello @student 259 and @que");
  await expect(ada.page.getByRole("option", { name: "Quentin Quiet" })).toBeVisible();
  await ada.field.press("Enter");
  await expect(ada.field).toHaveValue("Hello @student 259 and @Quentin Quiet ");
  await ada.field.press("Enter");
  await expect(ada.page.locator(".mention")).toHaveText(["@student 259", "@Quentin Quiet"]);
  await ada.page.getByRole("button", { name: "Search", exact: true }).click();
  const pane = ada.page.getByTestId("search");
  await expect(pane.getByLabel("From").locator("option")).toHaveCount(263);
  await pane.getByLabel("From").selectOption({ label: "Quentin Quiet" });
  await pane.getByRole("searchbox").fill("here");
  await expect(pane.locator(".hit")).toHaveCount(1);
});

test("a part of the page that cannot be had is told, and asked for again", async ({ people }) => {
  const ada = await people("Ada");
  await ada.field.fill("half a thought");
  const parts = /SettingsDialog-.*\.js$/;
  await ada.page.route(parts, (route) => route.abort());
  await ada.page.getByRole("button", { name: "Settings", exact: true }).click();
  await expect(ada.page.locator(".toasts")).toContainText(en.partAway);
  await expect(ada.page.getByRole("dialog")).toHaveCount(0);
  await expect(ada.field).toHaveValue("half a thought");
  await ada.say("The room goes on");
  await ada.sees(["The room goes on"]);
});

test("two tabs with one store send what waits once, also when one of them is closed", async ({ people, server }) => {
  const ada = await people("Ada");
  const { page } = ada;
  const tab = await page.context().newPage();
  const login = await page.evaluate(() => sessionStorage.getItem("stoa.login"));
  await tab.goto("/icon.svg");
  await page.goto("/icon.svg");
  /** A page of somebody's own, with the client and a store that all tabs share. */
  const open = async (where: typeof page, origin: string) =>
    where.evaluate(
      async ([origin, login]) => {
        const { connect } = await import(`${origin}/client/v1.js`);
        const { token } = JSON.parse(login ?? "{}");
        const client = connect({ url: `${origin}/v1/ws`, token: () => token, store: localStorage });
        const room = client.room("lobby");
        await room.open();
        Object.assign(globalThis, { client, room });
      },
      [origin, login] as const,
    );
  const say = (where: typeof page, texts: string[]) =>
    where.evaluate((texts) => {
      const { room } = globalThis as unknown as { room: { send(text: string): void } };
      for (const text of texts) room.send(text);
    }, texts);
  await open(page, server.url);
  await open(tab, server.url);
  await server.kill();
  await say(page, ["one of the first tab", "two of the first tab"]);
  await say(tab, ["one of the second tab", "two of the second tab"]);
  // The second tab is closed, the first is loaded anew: a third finds what both have left.
  await tab.close();
  await page.goto("about:blank");
  await server.start();
  const third = await page.context().newPage();
  await third.goto("/icon.svg");
  await page.goto("/icon.svg");
  await Promise.all([open(page, server.url), open(third, server.url)]);
  const ben = await people("Ben");
  await expect(ben.messages).toHaveCount(4, { timeout: 30_000 });
  const texts = await ben.texts();
  expect(texts.filter((text) => text.includes("first"))).toEqual(["one of the first tab", "two of the first tab"]);
  expect(texts.filter((text) => text.includes("second"))).toEqual(["one of the second tab", "two of the second tab"]);
});
