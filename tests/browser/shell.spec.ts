// Everything around the chat: rooms, people, what hosts do, settings, addresses.
import { isAccessible } from "./axe.ts";
import { expect, type Person, test } from "./people.ts";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** Creates a room with these people, whom the page knows from the lobby. */
async function createRoom(host: Person, title: string, members: string[]): Promise<void> {
  await host.page.getByRole("button", { name: "New room" }).click();
  const dialog = host.page.getByRole("dialog", { name: "New room" });
  await dialog.getByLabel("Name of the room").fill(title);
  for (const name of members) {
    await dialog.getByLabel("Members").fill(name.slice(0, 2));
    await dialog.getByRole("button", { name, exact: true }).click();
  }
  await dialog.getByRole("button", { name: "Create", exact: true }).click();
  await expect(host.page.getByRole("heading", { name: title, level: 2 })).toBeVisible();
}

const person = (who: Person, name: string) =>
  who.page.getByTestId("people").getByRole("button", { name: new RegExp(name) });
const dialogOf = (who: Person) => who.page.getByRole("dialog", { name: "Person" });
const toast = (who: Person) => who.page.locator(".toasts");

test("a host changes roles, mutes, removes, bans and lifts the ban", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await expect(person(ada, "Ben")).toBeVisible();
  await createRoom(ada, "Physics", ["Ben"]);
  await ben.page.getByRole("link", { name: /Physics/ }).click();
  await ben.isIn();

  await person(ada, "Ben").click();
  await dialogOf(ada).getByRole("button", { name: /Role/ }).click();
  await ada.page.getByRole("option", { name: /Viewer/ }).click();
  await expect(toast(ada)).toContainText("Ben is now: Viewer");
  await expect(ben.page.getByText("You may read here, but not write.")).toBeVisible();
  await dialogOf(ada).getByRole("button", { name: /Role/ }).click();
  await ada.page.getByRole("option", { name: /Member/ }).click();
  await expect(ben.field).toBeVisible();

  await dialogOf(ada).getByRole("button", { name: "Mute" }).click();
  await dialogOf(ada)
    .getByRole("button", { name: /For how long/ })
    .click();
  await ada.page.getByRole("option", { name: "5 minutes" }).click();
  await dialogOf(ada).getByRole("button", { name: "Mute" }).click();
  await expect(ben.page.getByText(/You are muted until/)).toBeVisible();
  await dialogOf(ada).getByRole("button", { name: "Unmute" }).click();
  await expect(ben.field).toBeVisible();

  await dialogOf(ada).getByRole("button", { name: "Remove" }).click();
  await dialogOf(ada).getByRole("button", { name: "Remove" }).click();
  await expect(dialogOf(ada)).toBeHidden();
  await expect(toast(ben)).toContainText("You were removed from Physics");

  await createRoom(ada, "Chemistry", ["Ben"]);
  await ben.page.getByRole("link", { name: /Chemistry/ }).click();
  await ben.isIn();
  await person(ada, "Ben").click();
  await dialogOf(ada).getByRole("button", { name: "Ban" }).click();
  await dialogOf(ada).getByLabel("Reason").fill("Shouted at the test tubes");
  await dialogOf(ada).getByRole("button", { name: "Ban" }).click();
  await expect(toast(ada)).toContainText("Ben is banned");
  await expect(person(ada, "Ben")).toHaveCount(0);
  await expect(ben.page.getByRole("heading", { name: "You are not in this room any more" })).toBeVisible();
  await expect(ben.page.getByText("You were banned from it.")).toBeVisible();
  await isAccessible(ben.page, "a room that one was banned from");
  await ben.page.getByRole("button", { name: "Show my rooms" }).click();
  await ben.isIn();
  await ada.page.getByRole("button", { name: "Room settings" }).click();
  await ada.page.getByRole("tab", { name: "Banned" }).click();
  const panel = ada.page.getByRole("tabpanel");
  await expect(panel).toContainText("Shouted at the test tubes");
  await isAccessible(ada.page, "the banned");
  await panel.getByRole("button", { name: "Lift ban" }).click();
  await expect(panel).toContainText("Nobody is banned");
});

test("a room's record is changed, the room is archived, and left", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await expect(person(ada, "Ben")).toBeVisible();
  await createRoom(ada, "Latin", ["Ben"]);
  await ben.page.getByRole("link", { name: /Latin/ }).click();
  await ben.isIn();

  await ada.page.getByRole("button", { name: "Room settings" }).click();
  const dialog = ada.page.getByRole("dialog", { name: "Room settings" });
  await dialog.getByLabel("Topic").fill("Caesar, book one");
  await dialog.getByRole("button", { name: /Slow mode/ }).click();
  await ada.page.getByRole("option", { name: "One message per 5 seconds" }).click();
  await isAccessible(ada.page, "a room's settings");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toBeHidden();
  await expect(ben.page.locator(".topic")).toHaveText("Caesar, book one");

  await ada.page.getByRole("button", { name: "Room settings" }).click();
  await dialog.getByRole("button", { name: "Archive room" }).click();
  await dialog.getByRole("button", { name: "Archive room" }).click();
  await expect(ben.page.getByText("This room is archived. You can read it, but not write.")).toBeVisible();
  await dialog.getByRole("button", { name: "Take out of the archive" }).click();
  await expect(ben.field).toBeVisible();

  // Who may not change the room may leave it.
  await ben.page.getByRole("button", { name: "Room settings" }).click();
  const own = ben.page.getByRole("dialog", { name: "Room settings" });
  await expect(own.getByLabel("Topic")).toBeDisabled();
  await own.getByRole("button", { name: "Leave room" }).click();
  await own.getByRole("button", { name: "Leave room" }).click();
  await expect(ben.page.getByRole("link", { name: /Latin/ })).toHaveCount(0);
});

test("somebody is written to directly, and seen to be there", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await person(ada, "Ben").click();
  await dialogOf(ada).getByRole("button", { name: "Send a message" }).click();
  await expect(ada.page.getByRole("heading", { name: "Ben", level: 2 })).toBeVisible();
  await ada.say("Between us");
  const row = ben.page.getByRole("link", { name: /Ada/ });
  await expect(row).toContainText("Between us");
  await expect(row.locator(".badge")).toContainText("1");
  await expect(row.locator(".dot.online")).toBeVisible();
  await row.click();
  await ben.sees(["Between us"]);
  await ada.page.getByRole("button", { name: "Log out" }).click();
  await expect(row.locator(".dot.offline")).toBeVisible();
});

test("rooms are found and walked through by the keyboard", async ({ people }) => {
  const ada = await people("Ada");
  for (const title of ["Algebra", "Biology"]) await createRoom(ada, title, []);
  await expect(ada.page.locator(".room-row")).toHaveText([/Biology/, /Algebra/, /Lobby/]);
  await ada.page.keyboard.press("Control+k");
  await expect(ada.page.getByLabel("Find a room")).toBeFocused();
  await ada.page.keyboard.press("ArrowDown");
  await expect(ada.page.getByRole("link", { name: /Biology/ })).toBeFocused();
  await ada.page.keyboard.press("ArrowDown");
  await expect(ada.page.getByRole("link", { name: /Algebra/ })).toBeFocused();
  await ada.page.keyboard.press("Control+k");
  await ada.page.keyboard.type("lob");
  await expect(ada.page.locator(".room-row")).toHaveCount(1);
  await ada.page.keyboard.press("Enter");
  await expect(ada.page.getByRole("heading", { name: "Lobby", level: 2 })).toBeVisible();
  await ada.page.getByLabel("Find a room").fill("no such");
  await expect(ada.page.getByText("No room of this name")).toBeVisible();
});

test("settings are kept: language, theme, status, notifications", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  const html = ben.page.locator("html");
  await expect(html).toHaveAttribute("lang", "en-GB");
  await ben.page.getByRole("button", { name: "Settings", exact: true }).click();
  const dialog = ben.page.getByRole("dialog", { name: "Settings" });
  await isAccessible(ben.page, "settings");
  await dialog.getByLabel("Status message").fill("In class");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(person(ada, "Ben")).toContainText("In class");
  await dialog.getByRole("button", { name: /Your status/ }).click();
  await ben.page.getByRole("option", { name: "Busy" }).click();
  await expect(person(ada, "Ben").locator(".dot.busy")).toBeVisible();
  await dialog.getByText("Dark", { exact: true }).click();
  await expect(html).toHaveAttribute("data-theme", "dark");
  await dialog.getByRole("button", { name: /Language/ }).click();
  await ben.page.getByRole("option", { name: "Français" }).click();
  await expect(html).toHaveAttribute("lang", "fr");
  await expect(ben.page.getByRole("dialog", { name: "Réglages" })).toBeVisible();
  await isAccessible(ben.page, "settings in French, dark");
  await ben.page.keyboard.press("Escape");
  await expect(ben.page.getByRole("dialog")).toHaveCount(0);
  // The focus is back where it was.
  await expect(ben.page.getByRole("button", { name: "Réglages", exact: true })).toBeFocused();

  await ben.page.reload();
  await expect(html).toHaveAttribute("lang", "fr");
  await expect(html).toHaveAttribute("data-theme", "dark");
  await expect(ben.page.getByTestId("status")).toHaveText("Connecté");
  await expect(person(ada, "Ben")).toContainText("In class");
  await expect(person(ada, "Ben").locator(".dot.busy")).toBeVisible();
});

test("a mention and a direct message are told by the browser while nobody looks", async ({ people, server }) => {
  const ada = await people("Ada");
  const ben = await people("Ben", { permissions: ["notifications"] });
  await ben.page.evaluate(() => {
    // Headless browsers show none: what would be shown is kept.
    const told: string[] = [];
    class Kept {
      static permission = "granted";
      static requestPermission = async () => "granted";
      onclick: (() => void) | null = null;
      constructor(title: string, options: { body?: string }) {
        told.push(`${title}: ${options.body ?? ""}`);
      }
      close() {}
    }
    Object.assign(globalThis, { Notification: Kept, told });
  });
  await ben.page.getByRole("button", { name: "Settings", exact: true }).click();
  await ben.page.getByText("Notify me").click();
  await expect(ben.page.getByRole("switch", { name: /Notify me/ })).toBeChecked();
  await ben.page.keyboard.press("Escape");
  const told = () => ben.page.evaluate(() => (globalThis as unknown as { told: string[] }).told);
  const write = (words: string) =>
    ada.page.evaluate(async (words) => {
      const { connect } = await import(new URL("/client/v1.js", location.href).href);
      const { token } = JSON.parse(sessionStorage.getItem("stoa.login") ?? "{}");
      const client = connect({ url: new URL("/v1/ws", location.href), token: () => token });
      const room = client.room("lobby");
      await room.open();
      const ben = [...client.profiles].find(([, { name }]) => name === "Ben")[0];
      await room.send(words, { mentions: [ben] }).acked;
      const direct = client.room(await client.direct(ben));
      await direct.send(`${words}, directly`).acked;
      client.close();
    }, words);

  // While one looks, the page itself is enough.
  await write("Seen");
  await expect(ben.page.getByRole("link", { name: /Seen, directly/ })).toBeVisible();
  expect(await told()).toEqual([]);
  await ben.page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await write("Unseen");
  await expect
    .poll(told)
    .toEqual(expect.arrayContaining(["Ada mentioned you in Lobby: Unseen", "Ada: Unseen, directly"]));
  expect(server.url).toContain("127.0.0.1");
});

test("every address shows its place, and the way back works", async ({ people }) => {
  const ada = await people("Ada");
  await ada.say("The first of all");
  await ada.sees(["The first of all"]);
  const seq = await ada.page.locator("article[data-seq]").first().getAttribute("data-seq");
  for (const base of ["", "/embed"]) {
    for (const [path, view] of [
      [`/r/lobby/m/${seq}`, "chat"],
      ["/r/lobby/call", "call"],
      ["/r/lobby/board", "board"],
    ]) {
      await ada.page.goto(`${base}${path}`);
      await expect(ada.page.locator(`main.room[data-phase=open][data-view=${view}]`)).toBeVisible();
      await ada.sees(["The first of all"]);
    }
  }
  await ada.goTo("/r/lobby");
  await createRoom(ada, "Elsewhere", []);
  await ada.page.goBack();
  await expect(ada.page).toHaveURL(/\/r\/lobby$/);
  await expect(ada.page.getByRole("heading", { name: "Lobby", level: 2 })).toBeVisible();
  await ada.page.goForward();
  await expect(ada.page.getByRole("heading", { name: "Elsewhere", level: 2 })).toBeVisible();
});

for (const [language, locale, labels] of [
  ["English", "en-GB", { people: "People", rooms: "Rooms", create: "New room", settings: "Settings" }],
  ["French", "fr-FR", { people: "Participants", rooms: "Salons", create: "Nouveau salon", settings: "Réglages" }],
] as const) {
  test(`at desktop and phone width axe finds nothing serious, in ${language}`, async ({ browser, server, people }) => {
    const host = await people("Host");
    await host.say("Bonjour and hello");
    for (const [name, options] of [
      ["desktop", {}],
      ["phone", PHONE],
    ] as const) {
      const context = await browser.newContext({ baseURL: server.url, locale, ...options });
      const page = await context.newPage();
      const where = `${name}, ${language}`;
      await page.goto("/r/lobby");
      await expect(page.locator("html")).toHaveAttribute("lang", locale);
      await page.locator("input").waitFor();
      await isAccessible(page, `login, ${where}`);
      await page.locator("input").fill("Zoé");
      await page.locator("input").press("Enter");
      await expect(page.locator("main.room[data-phase=open]")).toBeVisible();
      await expect(page.getByText("Bonjour and hello").last()).toBeVisible();
      await isAccessible(page, `room, ${where}`);
      if (name === "phone") {
        await page.getByTestId("people-toggle").click();
        await expect(page.getByTestId("people")).toBeFocused();
        await isAccessible(page, `people, ${where}`);
        await page.keyboard.press("Escape");
        await expect(page.getByTestId("people")).toHaveCount(0);
        await expect(page.getByTestId("people-toggle")).toBeFocused();
        await page.getByRole("button", { name: labels.rooms }).click();
      }
      await isAccessible(page, `rooms, ${where}`);
      for (const label of [labels.create, labels.settings]) {
        await page.getByRole("button", { name: label, exact: true }).click();
        await expect(page.getByRole("dialog", { name: label })).toBeVisible();
        await isAccessible(page, `${label}, ${where}`);
        await page.screenshot({
          path: `out/${name}-${locale}-${label.replace(/\W/g, "")}.png`,
          animations: "disabled",
        });
        await page.keyboard.press("Escape");
        await expect(page.getByRole("dialog")).toHaveCount(0);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide, where).toBeLessThanOrEqual(0);
      await context.close();
    }
  });
}
