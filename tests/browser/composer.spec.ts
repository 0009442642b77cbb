// Writing: marks, mentions, emoji, drafts and what is told while one writes.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Person, test } from "./people.ts";
import { Seed, WIDE } from "./seed.ts";

test.use({ env: WIDE });

test("marks are set by the keyboard, and shown as what they mean", async ({ people }) => {
  const ada = await people("Ada");
  await ada.field.pressSequentially("bold");
  await ada.field.press("ControlOrMeta+a");
  await ada.field.press("ControlOrMeta+b");
  await expect(ada.field).toHaveValue("**bold**");
  await ada.field.press("ControlOrMeta+b");
  await expect(ada.field).toHaveValue("bold");
  await ada.field.press("ControlOrMeta+z");
  await expect(ada.field).toHaveValue("**bold**");
  await ada.field.press("End");
  await ada.field.pressSequentially(" and ~~struck~~ `code`");
  await ada.field.press("Shift+Enter");
  await ada.field.press("Shift+Enter");
  await ada.field.pressSequentially("- one");
  await ada.field.press("Shift+Enter");
  await ada.field.pressSequentially("two");
  await ada.field.press("Enter");
  const text = ada.messages.first();
  await expect(text.locator("strong")).toHaveText("bold");
  await expect(text.locator("s")).toHaveText("struck");
  await expect(text.locator("code")).toHaveText("code");
  await expect(text.locator("li")).toHaveText(["one", "two"]);
});

test("people are mentioned by keyboard, and the one who is meant is told", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben Carter");
  await expect(ada.page.getByTestId("online")).toHaveText("2 online");
  await ada.field.pressSequentially("Look, @ca");
  await expect(ada.page.getByRole("option")).toHaveText("BCBen Carter");
  await ada.field.press("Tab");
  await expect(ada.field).toHaveValue("Look, @Ben Carter ");
  await ada.field.pressSequentially("please");
  await ada.field.press("Enter");
  const seen = ben.message("Look, @Ben Carter please");
  await expect(seen).toHaveClass(/mentions-me/);
  await expect(seen.locator(".mention.mine")).toHaveText("@Ben Carter");
  await expect(ada.message("Look, @Ben Carter please").locator(".mention")).not.toHaveClass(/mine/);
});

test("emoji come by their names and from the picker, and stand large when they are alone", async ({ people }) => {
  const ada = await people("Ada");
  await ada.field.pressSequentially(":tada");
  await expect(ada.page.getByRole("option").first()).toContainText("🎉");
  await ada.field.press("Enter");
  await expect(ada.field).toHaveValue("🎉 ");
  await ada.field.pressSequentially(":smile:");
  await expect(ada.field).toHaveValue("🎉 😄");
  await ada.room.locator(".composer").getByRole("button", { name: "Emoji" }).click();
  await ada.page.getByPlaceholder("Find an emoji").fill("rocket");
  await ada.page.getByRole("gridcell", { name: "rocket" }).click();
  await expect(ada.field).toHaveValue("🎉 😄🚀");
  await ada.field.press("Enter");
  await expect(ada.messages.first().locator(".big-emoji")).toHaveText("🎉 😄🚀");
});

test("an edit that was begun and an answer survive a reload, and Escape goes back to the draft", async ({ people }) => {
  const ada = await people("Ada");
  await ada.say("An old line");
  await ada.field.fill("a draft");
  await ada.act("An old line", "Edit");
  await expect(ada.field).toHaveValue("An old line");
  await ada.field.fill("A better line");
  await ada.page.reload();
  await ada.isIn();
  await expect(ada.field).toHaveValue("A better line");
  await ada.field.press("Escape");
  await expect(ada.field).toHaveValue("a draft");
  await ada.act("An old line", "Reply");
  await expect(ada.room.getByText("Replying to Ada")).toBeVisible();
  await ada.page.reload();
  await ada.isIn();
  await expect(ada.room.getByText("Replying to Ada")).toBeVisible();
  await ada.field.press("Enter");
  await expect(ada.message("a draft").locator(".quote")).toContainText("An old line");
});

test("what is too long is counted and not sent, and not lost", async ({ people }) => {
  const ada = await people("Ada");
  await ada.field.fill("é".repeat(8_192 - 10));
  await expect(ada.room.locator(".composer-note")).toHaveText("20 bytes left");
  await ada.field.fill("é".repeat(8_192 + 1));
  await expect(ada.room.locator(".composer-note")).toHaveText("2 bytes too long");
  await expect(ada.page.getByRole("button", { name: "Send" })).toBeDisabled();
  await ada.field.press("Enter");
  expect((await ada.field.inputValue()).length).toBe(8_193);
});

test("a host announces to everybody, and what happened is told between the messages", async ({ people }) => {
  const ada = await people("Ada", { path: "/" });
  await ada.page.getByRole("button", { name: "New room" }).click();
  await ada.page.getByLabel("Name of the room").fill("Desk");
  await ada.page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(ada.page.getByRole("heading", { name: "Desk" })).toBeVisible();
  const ben = await people("Ben", { path: new URL(ada.page.url()).pathname });
  await expect(ada.page.getByTestId("note").filter({ hasText: "joined" })).toContainText("Ben");
  await ada.page.getByRole("button", { name: "Announce" }).click();
  await ada.say("Tomorrow at nine, @all");
  const seen = ben.message("Tomorrow at nine, @all");
  await expect(seen).toHaveClass(/announcement/);
  await expect(seen).toHaveClass(/mentions-me/);
  await expect(ben.page.getByRole("button", { name: "Announce" })).toHaveCount(0);
  // The next one is a message like any other.
  await ada.say("As I said");
  await expect(ben.message("As I said")).not.toHaveClass(/announcement/);
});

test("slow mode is counted down, and what is typed meanwhile stays", async ({ people, server }) => {
  const seed = new Seed(server);
  await seed.room("slow", "Slow", ["ben"]);
  await seed.change("slow", { slow_mode_s: 30 });
  const ada = await people("Ada", { path: "/r/lobby" });
  const me = await ada.page.evaluate(() => JSON.parse(sessionStorage.getItem("stoa.login") ?? "{}").user as string);
  await seed.member("slow", me);
  await ada.goTo("/r/slow");
  await ada.say("One");
  await expect(ada.message("One")).toBeVisible();
  await ada.field.fill("Two");
  await expect(ada.room.locator(".composer-note")).toContainText("Slow mode: you may write again in");
  await expect(ada.page.getByRole("button", { name: "Send" })).toBeDisabled();
  await ada.field.press("Enter");
  await expect(ada.field).toHaveValue("Two");
});

/** What axe calls serious or worse. */
async function seriousOn(person: Person): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page: person.page }).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, target }) => `${target} ${html.slice(0, 160)}`).join("\n")}`);
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    test(`axe finds nothing serious, ${colorScheme}, ${viewport.width} wide`, async ({ people }) => {
      const ada = await people("Ada Lovelace", { colorScheme, viewport });
      await ada.say("A **bold** word, `code`, and https://example.org");
      await ada.say("```\nlet x = 1;\n```");
      await ada.say("> quoted\n\n- listed");
      await ada.react("quotedlisted", "🎉");
      expect(await seriousOn(ada)).toEqual([]);
      await ada.act("quotedlisted", "Reply in thread");
      const thread = ada.page.getByTestId("thread");
      await thread.getByRole("textbox").fill("In the thread");
      await thread.getByRole("textbox").press("Enter");
      await expect(thread.locator("article[data-seq]")).toHaveCount(2);
      expect(await seriousOn(ada)).toEqual([]);
      await thread.getByRole("button", { name: "Close" }).click();
      await ada.head("Search");
      await ada.page.getByTestId("search").getByRole("searchbox").fill("bold");
      await expect(ada.page.locator(".hit")).toHaveCount(1);
      expect(await seriousOn(ada)).toEqual([]);
    });
  }
}

test("messages are gone through and acted on by keyboard alone", async ({ people }) => {
  const ada = await people("Ada");
  for (const text of ["One", "Two", "Three"]) await ada.say(text);
  await expect(ada.messages).toHaveCount(3);
  await ada.message("Three").focus();
  await ada.page.keyboard.press("ArrowUp");
  await expect(ada.message("Two")).toBeFocused();
  await ada.page.keyboard.press("Home");
  await expect(ada.message("One")).toBeFocused();
  await ada.page.keyboard.press("Tab");
  await ada.page.keyboard.press("Enter");
  await expect(ada.message("One").locator(".reaction").first()).toContainText("1");
});
