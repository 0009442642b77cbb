// Two people meet, talk and part.
import { expect, test } from "./people.ts";

test("two people see each other come, type, talk and go", async ({ people }) => {
  const ada = await people("Ada");
  await expect(ada.status).toHaveText("Connected");
  await expect(ada.page.getByTestId("online")).toHaveText("1 online");

  const ben = await people("Ben");
  await expect(ada.page.getByTestId("online")).toHaveText("2 online");
  await expect(ada.page.getByTestId("people").locator("li").filter({ hasText: "Ben" })).not.toHaveClass(/absent/);

  await ben.field.pressSequentially("Hello A");
  await expect(ada.page.getByTestId("typing")).toHaveText("Ben is typing");
  await expect(ben.page.getByTestId("typing")).toHaveText("");
  await ben.field.pressSequentially("da");
  await ben.field.press("Enter");
  await expect(ada.messages).toHaveText(["Hello Ada"]);
  await expect(ada.page.getByTestId("typing")).toHaveText("");

  await ada.say("Hello Ben");
  await ben.sees(["Hello Ada", "Hello Ben"]);
  await ada.sees(["Hello Ada", "Hello Ben"]);
  await expect(ada.page.getByTestId("read-by")).toHaveText("Read by Ben");

  await ben.page.getByRole("button", { name: "Log out" }).click();
  await expect(ada.page.getByTestId("online")).toHaveText("1 online");
  await expect(ada.page.getByTestId("people").locator("li").filter({ hasText: "Ben" })).toHaveClass(/absent/);
});

test("messages are edited, deleted, answered, reacted to and pinned for everybody", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await ada.say("First thuoght");
  await ben.act("First thuoght", "Reply");
  await ben.say("Which one?");
  await expect(ada.message("Which one?").locator(".quote")).toContainText("First thuoght");

  // An empty field and the arrow up: the last message of one's own.
  await ada.field.press("ArrowUp");
  await expect(ada.field).toHaveValue("First thuoght");
  await ada.field.fill("First thought");
  await ada.field.press("Enter");
  await expect(ben.message("First thought")).toContainText("edited");

  await ben.react("First thought", "🎉");
  const reaction = ada.message("First thought").locator(".reaction:not(.add)");
  await expect(reaction).toContainText("1");
  await reaction.click();
  await expect(ben.message("First thought").locator(".reaction:not(.add)")).toContainText("2");

  await ben.say("Never mind");
  await expect(ada.message("Never mind")).toBeVisible();
  await ben.choose("Never mind", "Delete");
  await ben.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(ada.page.getByText("This message was deleted")).toBeVisible();
  await expect(ada.page.getByText("Never mind")).toHaveCount(0);
});

test("a room is created, shared by its address, and pinned in by its host", async ({ people }) => {
  const ada = await people("Ada");
  await ada.page.getByRole("button", { name: "New room" }).click();
  await ada.page.getByLabel("Name of the room").fill("Study group");
  await ada.page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(ada.page.getByRole("heading", { name: "Study group" })).toBeVisible();
  await ada.say("Chapter three, please");
  await ada.choose("Chapter three, please", "Pin");

  const ben = await people("Ben", { path: new URL(ada.page.url()).pathname });
  await expect(ben.page.getByRole("heading", { name: "Study group" })).toBeVisible();
  await ben.sees(["Chapter three, please"]);
  await expect(ben.page.getByTestId("people").locator(".pinned")).toHaveText("Chapter three, please");
  await expect(ben.page.getByRole("link", { name: /Study group/ })).toHaveAttribute("aria-current", "page");
});

test("what was said elsewhere is counted, and what is new is marked", async ({ people }) => {
  const ada = await people("Ada");
  await ada.say("The first");
  const ben = await people("Ben");
  await ben.sees(["The first"]);
  await ben.page.getByRole("button", { name: "New room" }).click();
  await ben.page.getByLabel("Name of the room").fill("Quiet corner");
  await ben.page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(ben.page.getByRole("heading", { name: "Quiet corner" })).toBeVisible();

  await ada.say("The second");
  await ada.say("The third");
  const row = ben.page.getByRole("link", { name: /Lobby/ });
  await expect(row.locator(".badge")).toContainText("2");
  await expect(ben.page).toHaveTitle(/^\(2\)/);
  await row.click();
  await ben.sees(["The first", "The second", "The third"]);
  await expect(ben.page.getByTestId("unread-line")).toBeVisible();
  await expect(row.locator(".badge")).toHaveCount(0);
});

test("a reload stays the same person and keeps the draft", async ({ people }) => {
  const ada = await people("Ada");
  await ada.say("Before");
  await ada.sees(["Before"]);
  await ada.field.fill("half a thou");
  await ada.page.reload();
  await ada.isIn();
  await ada.sees(["Before"]);
  await expect(ada.field).toHaveValue("half a thou");
  await expect(ada.page.getByTestId("online")).toHaveText("1 online");
});

test("a room that is not open says so", async ({ people }) => {
  const ada = await people("Ada");
  await ada.page.goto("/r/no-such-room");
  await expect(ada.page.getByRole("heading", { name: "This room is not open to you" })).toBeVisible();
  await ada.page.getByRole("button", { name: "Show my rooms" }).click();
  await ada.isIn();
});
