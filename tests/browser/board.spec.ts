// People at one board and in one text: they end with the same content, whatever happens in between.
import { readFile } from "node:fs/promises";
import { type Artist, areEqual, expect, LEFT, PHONE, ROOM, type Shape, test } from "./artists.ts";
import { isAccessible } from "./axe.ts";

test("two and then three draw at once and end with the same board", async ({ sit }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  for (let round = 0; round < 3; round += 1) {
    const x = 60 + 120 * round;
    await Promise.all([ada.draw("r", [x, 120], [x + 80, 180]), ben.draw("o", [x, 260], [x + 80, 330])]);
  }
  await areEqual([ada, ben], 6);
  // Who comes late has all of it.
  const cyd = await sit("Cyd");
  await cyd.hasShapes(6);
  await Promise.all([
    ada.draw("a", [80, 380], [200, 430]),
    ben.draw("p", [260, 380], [380, 450]),
    cyd.draw("r", [440, 380], [520, 440]),
  ]);
  const shapes = await areEqual([ada, ben, cyd], 9);
  expect(shapes.map(({ type }) => type).sort()).toEqual(
    ["arrow", "ellipse", "ellipse", "ellipse", "freedraw", "rectangle", "rectangle", "rectangle", "rectangle"].sort(),
  );
});

test("what is being drawn and where the others are is seen before it is finished", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await expect(ada.page.getByRole("button", { name: "Look where Ben looks" })).toBeVisible();
  await ben.begin("r", [100, 120], [220, 200]);
  // A gesture that goes on is no edit yet, and is on the other's canvas all the same.
  const canvas = ada.page.locator(".excalidraw canvas.static");
  const empty = await canvas.screenshot();
  await ben.page.mouse.move(640, 400, { steps: 4 });
  await expect.poll(async () => (await canvas.screenshot()).equals(empty)).toBe(false);
  await ada.hasShapes(0);
  await ben.page.mouse.up();
  await ada.hasShapes(1);
  await areEqual([ada, ben], 1);
});

test("one whose line is cut in the middle draws on, is told, and meets the others again", async ({ sit }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.hasShapes(1);
  await ben.cut();
  await ben.draw("o", [60, 240], [140, 300]);
  await ben.draw("o", [200, 240], [280, 300]);
  await expect(ben.saved).toHaveText("Offline: 2 changes wait");
  await ada.draw("r", [200, 120], [280, 180]);
  await expect(ada.saved).toHaveText("Saved");
  await ada.hasShapes(2);
  await ben.hasShapes(3);
  ben.mend();
  await areEqual([ada, ben], 4);
});

test("what was drawn offline outlives a reload and meets the others", async ({ sit }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.hasShapes(1);
  await ben.cut();
  await ben.draw("o", [60, 240], [140, 300]);
  await expect(ben.saved).toHaveText("Offline: 1 change waits");
  await ada.draw("r", [200, 120], [280, 180]);
  await ben.page.reload();
  ben.mend();
  await areEqual([ada, ben], 3);
});

test("a server that is killed in the middle loses nothing, and has all of it from its disk alone", async ({
  sit,
  server,
}) => {
  test.setTimeout(180_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.draw("o", [60, 240], [140, 300]);
  await areEqual([ada, ben], 2);
  await server.kill();
  await ada.draw("r", [200, 120], [280, 180]);
  await ben.draw("o", [200, 240], [280, 300]);
  await expect(ada.saved).toHaveText("Offline: 1 change waits");
  await server.start();
  const before = await areEqual([ada, ben], 4);
  await server.kill();
  await server.start();
  const cyd = await sit("Cyd");
  await cyd.hasShapes(4);
  expect(await cyd.content()).toEqual(before);
  await areEqual([ada, ben, cyd], 4);
});

test("undo takes back what I did and nothing of the others", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.draw("o", [60, 240], [140, 300]);
  await ada.draw("r", [200, 120], [280, 180]);
  await ben.hasShapes(3);
  await ben.page.locator(".excalidraw").first().focus();
  await ben.page.keyboard.press("Control+z");
  await ada.hasShapes(2);
  await ben.page.keyboard.press("Control+z");
  await ada.page.getByRole("button", { name: "Undo" }).click();
  const [left] = await areEqual([ada, ben], 1);
  expect(left?.type).toBe("rectangle");
  await ada.page.getByRole("button", { name: "Redo" }).click();
  await ben.page.locator(".excalidraw").first().focus();
  await ben.page.keyboard.press("Control+Shift+z");
  await areEqual([ada, ben], 3);
});

test("a viewer sees everything and changes nothing", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const vera = await sit("Vera", "viewer");
  await ada.draw("r", [60, 120], [140, 180]);
  await vera.hasShapes(1);
  await expect(vera.right).toHaveText("You can look, not edit");
  await vera.draw("o", [60, 240], [140, 300]);
  await expect(vera.page.getByRole("button", { name: "Undo" })).toHaveCount(0);
  await ada.draw("r", [200, 120], [280, 180]);
  await areEqual([ada, vera], 2);
  await expect(vera.aside).toHaveCount(0);
});

test("a host locks the board under somebody's hand: the work is set aside and given to its author", async ({ sit }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.hasShapes(1);
  await ben.begin("o", [60, 240], [140, 300]);
  await ada.page.getByRole("button", { name: "Lock for everybody else" }).click();
  await expect(ben.right).toHaveText("Locked by the host: you can look, not edit");
  await ben.page.mouse.up();
  await expect(ben.aside).toContainText("you may not edit here any more");
  const coming = ben.page.waitForEvent("download");
  await ben.aside.getByRole("button", { name: "Download" }).click();
  const file = JSON.parse(await readFile(await (await coming).path(), "utf8")) as { elements: Shape[] };
  expect(file.elements.map(({ type }) => type)).toEqual(["ellipse"]);
  await areEqual([ada, ben], 1);
  await ben.aside.getByRole("button", { name: "Discard" }).click();
  await expect(ben.aside).toHaveCount(0);
  await ada.page.getByRole("button", { name: "Unlock for everybody" }).click();
  await expect(ben.right).toHaveCount(0);
  await ben.draw("o", [60, 240], [140, 300]);
  await areEqual([ada, ben], 2);
});

test("an image lies beside the board and is seen by everybody", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  const uploaded = ada.page.waitForResponse((response) => response.url().endsWith(`/v1/rooms/${ROOM}/blobs`));
  await ada.dropImage();
  expect(await (await uploaded).text()).toContain("hash");
  const fetched = ben.page.waitForResponse((response) => /\/blobs\/[0-9a-f]{64}$/.test(response.url()));
  expect((await fetched).ok()).toBe(true);
  const [image] = await areEqual([ada, ben], 1);
  expect(image?.type).toBe("image");
  // The picture itself is in no document: the export of one who got it has it all the same.
  const cyd = await sit("Cyd");
  await cyd.hasShapes(1);
});

test("versions are kept, shown, and set back to", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await areEqual([ada, ben], 1);
  await ada.page.getByRole("button", { name: "Versions" }).click();
  const dialog = ada.page.getByRole("dialog", { name: "Versions" });
  await dialog.getByLabel("Name of the version").fill("One square");
  await dialog.getByRole("button", { name: "Keep as it is now" }).click();
  await expect(dialog.getByTestId("versions")).toContainText("One square");
  await dialog.getByRole("button", { name: "Close" }).click();
  await ben.draw("o", [60, 240], [140, 300]);
  await ada.hasShapes(2);
  await ada.page.getByRole("button", { name: "Versions" }).click();
  await dialog.getByRole("button", { name: "Show" }).first().click();
  await expect(dialog.locator(".version-picture canvas")).toBeVisible();
  await dialog.getByRole("button", { name: "Set back to this" }).first().click();
  await areEqual([ada, ben], 1);
  // What was there before was kept first.
  await ada.page.getByRole("button", { name: "Versions" }).click();
  await expect(dialog.getByTestId("versions").getByRole("listitem")).toHaveCount(2);
});

test("two write one text at once, with the line of one cut in the middle", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.show("Notes");
  await ada.page.getByRole("button", { name: "Start shared notes" }).click();
  await ada.text.click();
  await ada.page.keyboard.type("Triangles\n");
  await ben.show("Notes");
  await expect(ben.text).toContainText("Triangles");
  await ben.text.click();
  await ben.page.keyboard.press("Control+End");
  await Promise.all([
    ada.page.keyboard.type("The sum of the angles "),
    ben.page.keyboard.type("Pythagoras: a² + b² = c² "),
  ]);
  await expect(ada.page.locator(".caret-name")).toHaveText("Ben");
  await ben.cut();
  await ben.page.keyboard.type("offline");
  await ada.page.keyboard.type("is 180°.");
  await expect(ben.saved).toContainText("Offline");
  ben.mend();
  const parts = ["Triangles", "offline", "180°"];
  for (const artist of [ada, ben]) for (const part of parts) await expect(artist.text).toContainText(part);
  const lines = (artist: Artist) =>
    artist.page.locator(".cm-line:not(.caret)").evaluateAll((all) =>
      all.map((line) => {
        const copy = line.cloneNode(true) as HTMLElement;
        for (const caret of copy.querySelectorAll(".caret")) caret.remove();
        return copy.textContent;
      }),
    );
  await expect.poll(async () => JSON.stringify(await lines(ada)) === JSON.stringify(await lines(ben))).toBe(true);
  for (const artist of [ada, ben]) await expect(artist.saved).toHaveText("Saved");
});

test("on a phone the board has the whole page, nothing scrolls sideways, and axe finds nothing serious", async ({
  sit,
}) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben", "member", PHONE);
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.hasShapes(1);
  expect(await ben.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  const box = await ben.board.boundingBox();
  expect(box?.width).toBe(390);
  expect(box?.height).toBeGreaterThan(700);
  await ben.page.screenshot({ path: "out/board-phone.png" });
  // Excalidraw gives its colour pickers no name; everything else of it is looked at too.
  const nameless = [".color-picker-container"];
  await isAccessible(ada.page, "the board", nameless);
  await isAccessible(ben.page, "the board on a phone", nameless);
  await ben.page.getByRole("button", { name: "Close board" }).click();
  await expect(ben.page.locator("main.room")).toBeVisible();
});

test("a lesson at the board, to be looked at", async ({ sit }) => {
  test.setTimeout(120_000);
  const size = { viewport: { width: 1440, height: 900 } };
  const ada = await sit("Ada Lovelace", "host", size);
  const ben = await sit("Ben Carter", "member", { viewport: { width: 1440, height: 900 }, colorScheme: "dark" });
  await ada.draw("r", [330, 170], [530, 370]);
  await ada.draw("o", [600, 190], [790, 360]);
  await ben.draw("a", [545, 270], [592, 270]);
  await ada.take("t");
  const box = await ada.board.boundingBox();
  await ada.page.mouse.click((box?.x ?? 0) + LEFT + 330, (box?.y ?? 0) + 430);
  await ada.page.keyboard.type("Same area: r = a / √π", { delay: 5 });
  await ada.page.keyboard.press("Escape");
  await ada.page.keyboard.press("Escape");
  await ada.hasShapes(4);
  await ben.hasShapes(4);
  await ben.page.locator("textarea").last().fill("So the circle's radius follows from the square?");
  await ben.page.locator("textarea").last().press("Enter");
  await ben.begin("p", [350, 480], [760, 500]);
  await expect(ada.page.getByTestId("timeline")).toContainText("follows from the square?");
  await ada.page.screenshot({ path: "out/board.png" });
  await ben.page.screenshot({ path: "out/board-dark.png" });
  await ben.page.mouse.up();
  await ada.hasShapes(5);
});
