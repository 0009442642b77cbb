// Nothing that somebody made is lost without being told, and nothing stays behind on a browser that they have left.
import { Artist, areEqual, expect, ROOM, test } from "./artists.ts";
import { isAccessible } from "./axe.ts";
import { test as asPeople } from "./people.ts";
import type { Server } from "./server.ts";

/** The text of the room's notes, as the server has it. */
async function notes(server: Server): Promise<string> {
  const response = await fetch(`${server.url}/v1/rooms/${ROOM}/documents/notes/json`, {
    headers: { authorization: `Bearer ${server.serviceToken()}` },
  });
  return ((await response.json()) as { text?: string }).text ?? "";
}

/** Ada begins something, and locks the board before Ben has finished his: it is refused. */
async function refuseBen(ada: Artist, ben: Artist): Promise<void> {
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.hasShapes(1);
  await ben.begin("o", [60, 240], [140, 300]);
  await ada.page.getByRole("button", { name: "Lock for everybody else" }).click();
  await expect(ben.right).toHaveText("Locked by the host: you can look, not edit");
  await ben.page.mouse.up();
  await expect(ben.aside).toContainText("you may not edit here any more");
}

test("megabytes that were written offline arrive", async ({ sit, server }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  await ada.startNotes();
  await ada.page.keyboard.type("Before. ");
  await expect(ada.saved).toHaveText("Saved");
  await ada.cut();
  for (let part = 0; part < 5; part += 1) await ada.paste(500_000);
  await expect(ada.saved).toHaveText(/^Offline: \d+\schanges wait$/);
  ada.mend();
  await expect(ada.saved).toHaveText("Saved", { timeout: 60_000 });
  expect((await notes(server)).length).toBe("Before. ".length + 2_500_000);
  await expect(ada.aside).toHaveCount(0);
});

test("refused work outlives a reload, and is put back when it may be", async ({ sit }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await refuseBen(ada, ben);
  await ben.page.reload();
  await expect(ben.aside).toContainText("1 change could not be saved and was set aside for you");
  await expect(ben.aside.getByRole("button", { name: "Put back" })).toHaveCount(0);
  await ben.page.screenshot({ path: "out/board-aside.png" });
  await isAccessible(ben.page, "refused work", [".color-picker-container"]);
  // What the others do meanwhile is not his, and stays.
  await ada.draw("r", [200, 120], [280, 180]);
  await ada.page.getByRole("button", { name: "Unlock for everybody" }).click();
  await ben.aside.getByRole("button", { name: "Put back" }).click();
  await expect(ben.aside).toHaveCount(0);
  const shapes = await areEqual([ada, ben], 3);
  expect(shapes.map(({ type }) => type).sort()).toEqual(["ellipse", "rectangle", "rectangle"]);
  await ben.page.reload();
  await ben.sits();
  await expect(ben.aside).toHaveCount(0);
});

test.describe(() => {
  test.use({ env: { STOA_LIMITS_DOCUMENT_MIB: "1" } });

  test("before a document is full it is said, and when it is, nothing is lost", async ({ sit, server }) => {
    test.setTimeout(120_000);
    const ada = await sit("Ada", "host");
    await ada.startNotes();
    await ada.paste(700_000);
    await expect(ada.saved).toHaveText("Saved");
    await expect(ada.fill).toHaveCount(0);
    await ada.paste(200_000);
    await expect(ada.fill).toContainText("This is 85 % full.");
    await ada.page.screenshot({ path: "out/notes-nearly-full.png" });
    await ada.paste(200_000, "y");
    await expect(ada.fill).toContainText("This is full");
    await expect(ada.aside).toContainText("there is no room for more: remove something first");
    await ada.page.screenshot({ path: "out/notes-full.png" });
    expect((await notes(server)).length).toBe(900_000);
    // Removing makes room for it.
    await ada.text.click();
    await ada.page.keyboard.press("Control+a");
    await ada.page.keyboard.press("Delete");
    await expect(ada.fill).toHaveCount(0);
    await ada.aside.getByRole("button", { name: "Put back" }).click();
    await expect(ada.aside).toHaveCount(0);
    await expect(ada.saved).toHaveText("Saved");
    const text = await notes(server);
    expect([text.length, text.includes("x")]).toEqual([200_000, false]);
  });
});

asPeople("who logs out leaves no document in the browser, and others' stay", async ({ people, server }) => {
  const ada = await people("Ada", { path: "/r/lobby/board" });
  const databases = () =>
    ada.page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name ?? "").sort());
  await expect.poll(databases).toEqual(["stoa:ada:lobby:board", "stoa:ada:lobby:board:asides"]);
  await ada.page.evaluate(async () => {
    const other = indexedDB.open("stoa:ada%3Alovelace:lobby:board");
    await new Promise((resolve) => {
      other.onsuccess = resolve;
    });
    other.result.close();
  });
  const logOut = ada.page.getByRole("button", { name: "Log out", exact: true });
  const artist = new Artist(ada.page);
  await artist.draw("r", [60, 120], [140, 180]);
  await expect(ada.page.getByTestId("saved")).toHaveText("Saved");
  await server.kill();
  await artist.draw("r", [60, 240], [140, 300]);
  await expect(ada.page.getByTestId("saved")).toHaveText("Offline: 1 change waits");
  await ada.page.getByRole("button", { name: "Close board" }).click();
  // What would be lost is said first.
  await logOut.click();
  await expect(ada.page.getByRole("dialog")).toContainText("in this browser alone");
  await ada.page.screenshot({ path: "out/log-out.png" });
  await ada.page.getByRole("button", { name: "Cancel" }).click();
  await server.start();
  await ada.page.getByTestId("board-toggle").click();
  await expect(ada.page.getByTestId("saved")).toHaveText("Saved");
  await ada.page.getByRole("button", { name: "Close board" }).click();
  await logOut.click();
  await expect(ada.page.getByLabel("Your name")).toBeVisible();
  await expect.poll(databases).toEqual(["stoa:ada%3Alovelace:lobby:board"]);
});
