// Pictures of what people see, to be looked at: out/*.png.
import { expect, type Person, test } from "./people.ts";

const TALK: [string, string][] = [
  ["Ben Carter", "Welcome! Introduce yourselves when you have a minute."],
  ["Cyd Okafor", "Hi, I'm Cyd – second year, trying to get better at linear algebra."],
  ["Cyd Okafor", "Also happy to help with Python."],
  ["Ben Carter", "The notes are at https://example.org/notes/eigenvalues (start with chapter 3)."],
  [
    "Ada Lovelace",
    "Office hours are Tuesdays 16:00 and Fridays 10:00.\nBring one question and one thing that you tried.",
  ],
  ["Cyd Okafor", "هل ستكون الجلسة مسجلة؟"],
  ["Ada Lovelace", "Yes – and I'll post a short summary the same evening. 🎉"],
];

test("the page at desktop and phone width, light and dark", async ({ people, browser, server }) => {
  const context = await browser.newContext({ baseURL: server.url });
  const stranger = await context.newPage();
  await stranger.goto("/");
  await stranger.getByLabel("Your name").waitFor();
  await stranger.screenshot({ path: "out/login.png" });
  await context.close();

  const ada = await people("Ada Lovelace", { path: "/" });
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
  await ada.message("Also happy to help with Python.").hover();
  await ada.page.getByRole("button", { name: "React", exact: true }).click();
  await ada.page.getByRole("menuitem", { name: "👏" }).click();
  await ben.message("Also happy to help with Python.").locator(".reaction").click();
  await expect(ada.message("Also happy to help with Python.").locator(".reaction")).toContainText("2");

  await cyd.field.pressSequentially("I will ");
  await expect(ada.page.getByTestId("typing")).toHaveText("Cyd Okafor is typing");
  await ada.message(TALK[3]?.[1] ?? "").hover();
  await ada.page.screenshot({ path: "out/desktop.png" });
  await ben.page.screenshot({ path: "out/desktop-dark.png" });
  await cyd.page.screenshot({ path: "out/phone.png" });
  await cyd.page.getByTestId("people-toggle").click();
  await cyd.page.screenshot({ path: "out/phone-people.png", animations: "disabled" });
  await cyd.page.getByTestId("people").getByRole("button", { name: "Close" }).last().click();
  await cyd.page.getByRole("button", { name: "Rooms" }).click();
  await expect(cyd.page.getByRole("link", { name: /Lobby/ })).toBeVisible();
  await cyd.page.screenshot({ path: "out/phone-rooms.png" });

  // Nothing of the page is cut off or scrolls sideways on a phone.
  const wide = await cyd.page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBe(390);
});
