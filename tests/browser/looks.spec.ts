// Pictures of what people see, to be looked at: out/*.png.
import { expect, type Person, test } from "./people.ts";

const TALK: [string, string][] = [
  ["Ben Carter", "Welcome! Introduce yourselves when you have a minute."],
  ["Cyd Okafor", "Hi, I'm Cyd – second year, trying to get better at **linear algebra**."],
  ["Cyd Okafor", "Also happy to help with Python."],
  ["Ben Carter", "The notes are at https://example.org/notes/eigenvalues (start with chapter 3)."],
  [
    "Ada Lovelace",
    "Office hours:\n\n- Tuesdays 16:00\n- Fridays 10:00\n\n> Bring one question and one thing that you tried.",
  ],
  ["Cyd Okafor", "هل ستكون الجلسة مسجلة؟"],
  ["Ada Lovelace", "Yes – and I'll post a short summary the same evening. 🎉"],
  ["Ben Carter", "This should do for the first exercise:\n```python\nfor n in range(10):\n    print(n, n ** 2)\n```"],
  ["Cyd Okafor", "🙌🎉"],
];

test("the page at desktop and phone width, light and dark", async ({ people, browser, server }) => {
  test.setTimeout(120_000);
  const context = await browser.newContext({ baseURL: server.url });
  const stranger = await context.newPage();
  await stranger.goto("/");
  await stranger.getByLabel("Your name").waitFor();
  await stranger.screenshot({ path: "out/login.png" });
  await context.close();

  const ada = await people("Ada Lovelace", { path: "/" });
  await ada.page.screenshot({ path: "out/empty.png" });
  const ben = await people("Ben Carter", { colorScheme: "dark" });
  const cyd = await people("Cyd Okafor", {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
  });
  const everybody: Person[] = [ada, ben, cyd];
  for (const [index, [name, text]] of TALK.entries()) {
    const speaker = everybody.find((person) => person.name === name) as Person;
    await speaker.field.fill(text);
    await speaker.page.getByRole("button", { name: "Send" }).click();
    await expect(ada.messages).toHaveCount(index + 1);
  }
  await ada.react("Also happy to help with Python.", "👀");
  await (await ben.within(ben.message("Also happy to help with Python.").locator(".reaction").first())).click();
  await expect(ada.message("Also happy to help with Python.").locator(".reaction").first()).toContainText("2");

  const question = "Also happy to help with Python.";
  await ada.act(question, "Reply in thread");
  const thread = ada.page.getByTestId("thread");
  for (const text of ["Could you look at my notebook?", "It is the one about sorting.", "Thank you!"]) {
    await thread.getByRole("textbox").fill(text);
    await thread.getByRole("textbox").press("Enter");
  }
  await expect(thread.locator("article[data-seq]")).toHaveCount(4);
  await ada.page.screenshot({ path: "out/desktop-thread.png" });
  await thread.getByRole("button", { name: "Close" }).click();

  await cyd.field.pressSequentially("I will ");
  await expect(ada.page.getByTestId("typing")).toHaveText("Cyd Okafor is typing");
  await ada.message(question).hover();
  await ada.page.screenshot({ path: "out/desktop.png" });
  await ada.act(question, "More actions");
  await ada.page.screenshot({ path: "out/desktop-menu.png" });
  await ada.page.keyboard.press("Escape");
  await ada.act(question, "React");
  await expect(ada.page.getByRole("gridcell").first()).toBeVisible();
  await ada.page.screenshot({ path: "out/desktop-emoji.png" });
  await ada.page.keyboard.press("Escape");
  await ada.field.pressSequentially("I agree with @cy");
  await expect(ada.page.getByRole("option")).toHaveCount(1);
  await ada.page.screenshot({ path: "out/desktop-mention.png" });
  await ada.field.fill("");
  await ada.page.getByRole("button", { name: "Search", exact: true }).click();
  await ada.page.getByTestId("search").getByRole("searchbox").fill("notes");
  await expect(ada.page.locator(".hit")).toHaveCount(1);
  await ada.page.screenshot({ path: "out/desktop-search.png" });
  await ben.page.mouse.move(640, 780);
  await ben.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await ben.page.screenshot({ path: "out/desktop-dark.png" });
  await cyd.page.screenshot({ path: "out/phone.png" });
  await (await cyd.within(cyd.page.getByRole("button", { name: /reply|replies/ }))).click();
  await expect(cyd.page.getByTestId("thread").locator("article[data-seq]")).toHaveCount(4);
  await cyd.page.screenshot({ path: "out/phone-thread.png", animations: "disabled" });
  await cyd.page.getByTestId("thread").getByRole("button", { name: "Close" }).click();
  await (await cyd.within(cyd.message(question))).tap();
  await cyd.still();
  await cyd.message(question).getByRole("button", { name: "More actions" }).tap();
  await expect(cyd.page.getByRole("menuitem", { name: "Copy text" })).toBeVisible();
  await cyd.page.screenshot({ path: "out/phone-actions.png", animations: "disabled" });
  await cyd.page.keyboard.press("Escape");
  await cyd.page.getByTestId("people-toggle").click();
  await cyd.page.screenshot({ path: "out/phone-people.png", animations: "disabled" });
  await cyd.page.getByTestId("people").getByRole("button", { name: "Close" }).last().click();
  await cyd.page.getByRole("button", { name: "Rooms" }).click();
  await expect(cyd.page.getByRole("link", { name: /Lobby/ })).toBeVisible();
  await cyd.page.screenshot({ path: "out/phone-rooms.png" });

  // In French, with a dialog over the room.
  const context2 = await browser.newContext({ baseURL: server.url, locale: "fr-FR" });
  const dee = await context2.newPage();
  await dee.goto("/r/lobby");
  await dee.getByLabel("Votre nom").fill("Dominique Petit");
  await dee.getByRole("button", { name: "Entrer" }).click();
  await expect(dee.locator("article[data-seq]").first()).toBeVisible();
  await dee.screenshot({ path: "out/french.png" });
  await dee.getByRole("button", { name: "Nouveau salon" }).click();
  await dee.getByRole("dialog").getByLabel("Nom du salon").fill("Algèbre avec Ada");
  await dee.screenshot({ path: "out/french-room.png", animations: "disabled" });
  await context2.close();

  // Nothing of the page is cut off or scrolls sideways on a phone.
  const wide = await cyd.page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBe(390);
});
