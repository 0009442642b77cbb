// The server dies under two people and comes back.
import { expect, type Person, test } from "./people.ts";

const mark = (person: Person) =>
  person.page.evaluate(() => {
    (globalThis as { neverReloaded?: boolean }).neverReloaded = true;
  });
const isMarked = (person: Person) =>
  person.page.evaluate(() => (globalThis as { neverReloaded?: boolean }).neverReloaded === true);

test("a server that is killed and comes back loses nothing and doubles nothing", async ({ people, server }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  for (const person of [ada, ben]) await mark(person);
  await ada.say("Before one");
  await ben.say("Before two");
  await ada.sees(["Before one", "Before two"]);
  await ben.sees(["Before one", "Before two"]);

  await server.kill();
  await expect(ada.banner).toContainText("Offline");
  await ada.say("While down one");
  await ada.say("While down two");
  await expect(ada.banner).toContainText("Offline – 2 messages waiting");
  await expect(ada.pending).toHaveCount(2);
  await expect(ben.banner).toContainText("Offline");
  await ada.page.screenshot({ path: "out/offline.png" });

  await server.start();
  const all = ["Before one", "Before two", "While down one", "While down two"];
  await ada.sees(all);
  await ben.sees(all);
  for (const person of [ada, ben]) {
    await expect(person.status).toHaveText("Connected");
    await expect(person.banner).not.toHaveClass(/shown/);
    expect(await isMarked(person)).toBe(true);
  }
  await ben.say("After");
  await ada.sees([...all, "After"]);
  await expect(ada.page.getByTestId("online")).toHaveText("2 online");
});

test("killed again and again in the middle of a flood, every message is there once and in order", async ({
  people,
  server,
}) => {
  test.setTimeout(180_000);
  const ada = await people("Ada");
  const ben = await people("Ben");
  const said: string[] = [];
  for (let round = 1; round <= 4; round += 1) {
    for (let index = 1; index <= 12; index += 1) {
      const text = `Round ${round}, word ${index}`;
      said.push(text);
      await ada.say(text);
      // The kill falls among messages that are committed, on their way, and not sent yet.
      if (index === 2 * round) await server.kill();
    }
    await server.start();
    await expect(ada.pending).toHaveCount(0, { timeout: 45_000 });
  }
  await ada.sees(said);
  await ben.sees(said);
  // What a newcomer gets comes from the store alone.
  const cyd = await people("Cyd");
  await cyd.sees(said);
});

test("words that wait for the connection survive a reload", async ({ people, server }) => {
  const ada = await people("Ada");
  await ada.say("Before");
  await ada.sees(["Before"]);
  await server.kill();
  await expect(ada.banner).toContainText("Offline");
  await ada.say("Typed on a train");
  await expect(ada.pending).toHaveCount(1);
  await ada.page.goto("about:blank");
  await server.start();
  await ada.goTo("/r/lobby");
  await ada.sees(["Before", "Typed on a train"]);
});
