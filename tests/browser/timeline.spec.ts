// History both ways, places, threads, search and pins.
import { expect, type Person, test } from "./people.ts";
import { Seed, WIDE } from "./seed.ts";

test.use({ env: WIDE });

const line = (index: number) => `Line ${index}`;
const lines = (count: number, from = "ben") =>
  Array.from({ length: count }, (_, index) => ({ from: index % 7 < 4 ? from : "cyd", text: line(index + 1) }));

/** Everybody on a development server has the lobby; `ada` is what the name makes of her. */
async function seeded(server: ConstructorParameters<typeof Seed>[0], count: number): Promise<Seed> {
  const seed = new Seed(server);
  await seed.people({ ben: "Ben Carter", cyd: "Cyd Okafor" });
  await seed.room("hall", "Hall", ["ben", "cyd", "ada"]);
  // One after the other: their order is what is looked at.
  for (const said of lines(count)) await seed.say("hall", said);
  return seed;
}

/** Scrolls until a message is there, as a wheel does. */
async function wheelTo(person: Person, text: string, by: number): Promise<void> {
  await person.timeline.hover();
  for (let turn = 0; turn < 200; turn += 1) {
    if ((await person.message(text).count()) > 0 && (await isSeen(person, text))) return person.still();
    await person.page.mouse.wheel(0, by);
    await person.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
  throw new Error(`${text} was not reached`);
}

async function isSeen(person: Person, text: string): Promise<boolean> {
  const box = await person.timeline.boundingBox();
  const row = await person.message(text).boundingBox();
  return box !== null && row !== null && row.y + row.height > box.y && row.y < box.y + box.height;
}

/** Where the first wholly visible message is: its words and its place on the screen. */
const firstSeen = (person: Person) =>
  person.timeline.evaluate((box) => {
    const edge = box.getBoundingClientRect().top;
    const rows = [...box.querySelectorAll<HTMLElement>("article[data-seq]")].sort(
      (a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top,
    );
    const row = rows.find((each) => each.getBoundingClientRect().top >= edge);
    return { seq: row?.dataset.seq, top: Math.round((row?.getBoundingClientRect().top ?? 0) - edge) };
  });

test("history comes while scrolling up, in order, and new words do not move who reads old ones", async ({
  people,
  server,
}) => {
  test.setTimeout(120_000);
  const seed = await seeded(server, 260);
  const ada = await people("Ada", { path: "/r/hall" });
  await expect(ada.message(line(260))).toBeVisible();
  // Few of them are elements.
  expect(await ada.messages.count()).toBeLessThan(120);
  await wheelTo(ada, line(1), -900);
  await expect(ada.page.getByText("This is the beginning of Hall")).toBeVisible();

  await wheelTo(ada, line(120), 600);
  const before = await firstSeen(ada);
  await seed.say("hall", { from: "ben", text: "One more" });
  await expect(ada.page.getByRole("button", { name: /1.new message/ })).toBeVisible();
  expect(await firstSeen(ada)).toEqual(before);
  await ada.page.getByRole("button", { name: /1.new message/ }).click();
  await expect(ada.message("One more")).toBeInViewport();
  // What is read at the end follows the end.
  await seed.say("hall", { from: "ben", text: "And another" });
  await expect(ada.message("And another")).toBeInViewport();
});

test("a page of older messages does not move what is on the screen", async ({ people, server }) => {
  await seeded(server, 200);
  const ada = await people("Ada", { path: "/r/hall" });
  await expect(ada.message(line(200))).toBeVisible();
  // It opens where the unread begins.
  await wheelTo(ada, line(200), 600);
  await wheelTo(ada, line(170), -150);
  // The next turns of the wheel reach where older ones are asked for: rows move by the wheel and by nothing else.
  const places: { seq: string | undefined; top: number }[] = [];
  for (let turn = 0; turn < 14; turn += 1) {
    const was = await firstSeen(ada);
    await ada.page.evaluate(() => new Promise((done) => setTimeout(done, 60)));
    const now = await firstSeen(ada);
    places.push({ seq: was.seq, top: Math.abs(now.seq === was.seq ? now.top - was.top : 999) });
    await ada.page.mouse.wheel(0, -220);
    await ada.page.evaluate(() => new Promise((done) => setTimeout(done, 120)));
  }
  for (const place of places) expect(place.top, JSON.stringify(places)).toBeLessThanOrEqual(2);
});

test("an address leads to its message, with history in both directions and back to the newest", async ({
  people,
  server,
}) => {
  test.setTimeout(120_000);
  await seeded(server, 300);
  const ada = await people("Ada", { path: "/r/hall" });
  const seq = Number(await ada.page.locator("article[data-seq]").first().getAttribute("data-seq"));
  // Numbers run without gaps, so that an old message's is known.
  const text = await ada.page.locator("article[data-seq] .text").first().innerText();
  const old = seq - Number(text.replace("Line ", "")) + 60;
  await ada.page.goto(`/r/hall/m/${old}`);
  await ada.isIn();
  await expect(ada.message(line(60))).toBeInViewport();
  await expect(ada.message(line(60))).toBeFocused();
  await expect(ada.messages.filter({ hasText: line(300) })).toHaveCount(0);
  await wheelTo(ada, line(20), -500);
  await wheelTo(ada, line(180), 700);
  await ada.page.getByRole("button", { name: "Newest messages" }).click();
  await expect(ada.message(line(300))).toBeInViewport();
  await expect(ada.page.getByRole("button", { name: "Newest messages" })).toHaveCount(0);
});

test("a search finds words in this room, by one person, and leads to the place", async ({ people, server }) => {
  const seed = await seeded(server, 40);
  await seed.say("hall", { from: "cyd", text: "The **gradient** points uphill" });
  for (let index = 0; index < 120; index += 1) await seed.say("hall", { from: "ben", text: `Talk ${index}` });
  await seed.say("hall", { from: "ben", text: "Which gradient do you mean?" });
  const ada = await people("Ada", { path: "/r/hall" });
  await ada.page.getByRole("button", { name: "Search", exact: true }).click();
  const pane = ada.page.getByTestId("search");
  await pane.getByRole("searchbox").fill("gradient");
  await expect(pane.locator(".hit")).toHaveCount(2);
  await expect(pane.locator("mark").first()).toHaveText("gradient");
  await pane.getByLabel("From").selectOption({ label: "Cyd Okafor" });
  await expect(pane.locator(".hit")).toHaveCount(1);
  await pane.locator(".hit").click();
  await expect(ada.message("The gradient points uphill")).toBeInViewport();
  await pane.getByRole("searchbox").fill("nowhere at all");
  await expect(pane.getByText("Nothing found")).toBeVisible();
});

test("a thread has its own words, draft and place, and the room counts them", async ({ people, server }) => {
  const seed = await seeded(server, 5);
  const ada = await people("Ada", { path: "/r/hall" });
  await ada.act(line(2), "Reply in thread");
  const thread = ada.page.getByTestId("thread");
  const field = thread.getByRole("textbox");
  await field.fill("First reply");
  await field.press("Enter");
  await expect(thread.locator("article[data-seq]")).toHaveCount(2);
  await expect(ada.message(line(2)).getByRole("button", { name: /1.reply/ })).toBeVisible();
  await expect(ada.messages.filter({ hasText: "First reply" })).toHaveCount(0);
  const root = Number(await ada.message(line(2)).getAttribute("data-seq"));
  await seed.say("hall", { from: "ben", text: "Second reply", thread: root });
  await expect(thread.getByText("Second reply")).toBeVisible();

  await field.fill("half a th");
  await ada.field.fill("half a room");
  await ada.page.reload();
  await ada.isIn();
  await expect(ada.field).toHaveValue("half a room");
  await ada
    .message(line(2))
    .getByRole("button", { name: /2.replies/ })
    .click();
  await expect(ada.page.getByTestId("thread").getByRole("textbox")).toHaveValue("half a th");
  await ada.page.keyboard.press("Escape");
  await expect(ada.page.getByTestId("thread")).toHaveCount(0);
});

test("pins of long ago are listed and led to", async ({ people, server }) => {
  const seed = new Seed(server);
  const ada = await people("Ada", { path: "/" });
  await ada.page.getByRole("button", { name: "New room" }).click();
  await ada.page.getByLabel("Name of the room").fill("Desk");
  await ada.page.getByRole("button", { name: "Create", exact: true }).click();
  await ada.say("Keep this");
  await ada.choose("Keep this", "Pin");
  const id = new URL(ada.page.url()).pathname.split("/").at(-1) as string;
  const me = await ada.page.evaluate(() => JSON.parse(sessionStorage.getItem("stoa.login") ?? "{}").user as string);
  for (let index = 0; index < 130; index += 1) await seed.say(id, { from: me, text: line(index) });
  await ada.page.reload();
  await ada.isIn();
  await expect(ada.message("Keep this")).toHaveCount(0);
  await ada.page.getByRole("button", { name: "Pinned messages" }).click();
  const pins = ada.page.getByTestId("pins");
  await expect(pins.getByText("Keep this")).toBeVisible();
  await pins.getByRole("button", { name: "Go to the message" }).click();
  await expect(ada.message("Keep this")).toBeInViewport();
});
