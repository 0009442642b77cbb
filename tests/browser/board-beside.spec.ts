// The board beside everything else: people who are followed, a call, the page of another site, other languages, rights.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { areEqual, expect, LEFT, ROOM, type Shape, test } from "./artists.ts";
import { isAccessible } from "./axe.ts";
import { FAKE_DEVICES } from "./calls.ts";
import config from "./playwright.config.ts";
import { Server } from "./server.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

test("three draw, one is offline in the middle and the server dies in the middle, and all end equal", async ({
  sit,
  server,
}) => {
  test.setTimeout(240_000);
  const artists = [await sit("Ada", "host"), await sit("Ben"), await sit("Cyd")] as const;
  const [ada, ben, cyd] = artists;
  const row = async (y: number) => {
    await Promise.all([
      ada.draw("r", [60, y], [120, y + 50]),
      ben.draw("o", [180, y], [240, y + 50]),
      cyd.draw("p", [300, y], [360, y + 50]),
    ]);
  };
  await row(100);
  await areEqual([...artists], 3);
  await cyd.cut();
  await row(180);
  for (const each of [ada, ben]) await expect(each.saved).toHaveText("Saved");
  await expect(cyd.saved).toHaveText("Offline: 1 change waits");
  await server.kill();
  await row(260);
  await server.start();
  await Promise.all([ada.draw("r", [60, 340], [120, 390]), ben.draw("o", [180, 340], [240, 390])]);
  await cyd.draw("p", [300, 340], [360, 390]);
  cyd.mend();
  const shapes = await areEqual([...artists], 12);
  const kinds = (type: string) => shapes.filter((shape) => shape.type === type).length;
  expect([kinds("rectangle"), kinds("ellipse"), kinds("freedraw")]).toEqual([4, 4, 4]);
  // From the server alone.
  const dora = await sit("Dora", "viewer");
  await dora.hasShapes(12);
  expect(await dora.content()).toEqual(shapes);
});

test("one follows another and sees what they look at, until they take the board in hand themselves", async ({
  sit,
}) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.hasShapes(1);
  const follow = ben.page.getByRole("button", { name: "Look where Ada looks" });
  await follow.click();
  await expect(follow).toHaveAttribute("aria-pressed", "true");
  const canvas = ben.page.locator(".excalidraw canvas.static");
  const before = await canvas.screenshot();
  // Ada moves on over the board; Ben, who does nothing, goes along.
  await ada.board.hover();
  await ada.page.mouse.wheel(0, 3_000);
  await ada.draw("o", [60, 240], [140, 300]);
  await ben.hasShapes(2);
  await expect.poll(async () => (await canvas.screenshot()).equals(before)).toBe(false);
  const [, ellipse] = (await areEqual([ada, ben], 2)) as [Shape, Shape];
  expect(ellipse.y).toBeGreaterThan(2_000);
  // He draws where she is: the shapes are near each other.
  await ben.draw("r", [200, 240], [280, 300]);
  await expect(follow).toHaveAttribute("aria-pressed", "false");
  const shapes = await areEqual([ada, ben], 3);
  const drawn = shapes.at(-1) as Shape;
  expect(Math.abs(drawn.y - ellipse.y)).toBeLessThan(300);
});

test("in French the board, its component and the texts beside it speak French", async ({ sit }) => {
  const ada = await sit("Ada", "host", { locale: "fr-FR" }, "Enregistré");
  await expect(ada.page.getByRole("tab", { name: "Tableau" })).toBeVisible();
  await expect(ada.page.getByRole("button", { name: "Verrouiller pour tous les autres" })).toBeVisible();
  await expect(ada.page.getByTitle(/^Texte — /)).toBeVisible();
  await ada.page.screenshot({ path: "out/board-french.png" });
  await ada.page.getByRole("tab", { name: "Notes" }).click();
  await ada.page.getByRole("button", { name: "Commencer des notes partagées" }).click();
  await ada.text.click();
  await ada.page.keyboard.type("L’aire du carré");
  await expect(ada.saved).toHaveText("Enregistré");
  await isAccessible(ada.page, "notes in French");
});

test("a call goes on beside the board", async ({ sit }) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  for (const each of [ada, ben]) {
    await each.page.getByTestId("call-toggle").click();
    await expect(each.page.getByTestId("join")).toBeEnabled();
    await each.page.getByTestId("join").click();
  }
  await expect(ada.page.locator("[data-testid=tile][data-connection=connected]")).toHaveCount(1);
  for (const each of [ada, ben]) {
    await each.page.getByTestId("board-toggle").click();
    await each.sits();
  }
  const picture = ada.page.getByTestId("call-dock").locator("video");
  await expect(picture).toBeVisible();
  await ada.draw("r", [60, 120], [140, 180]);
  await ben.draw("o", [60, 240], [140, 300]);
  await areEqual([ada, ben], 2);
  // Both at once: the picture moves on while one draws.
  const shown = () => picture.evaluate((video: HTMLVideoElement) => video.currentTime);
  const then = await shown();
  await expect.poll(shown).toBeGreaterThan(then);
  await ada.page.screenshot({ path: "out/board-call.png" });
});

test("a host says who may edit, by role and person by person, and it holds at once", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  const vera = await sit("Vera", "viewer");
  const rights = ada.page.getByRole("button", { name: "Who may edit" });
  await rights.click();
  const sheet = ada.page.getByRole("dialog", { name: "Who may edit" });
  const pick = async (label: string | RegExp, choice: string) => {
    await sheet.getByRole("button", { name: label }).click();
    await ada.page.getByRole("option", { name: choice }).click();
  };
  await pick(/For whom/, "Ben");
  await sheet.getByRole("button", { name: "Let only look" }).click();
  await expect(ben.right).toHaveText("You can look, not edit");
  await pick(/For whom/, "Vera");
  await sheet.getByRole("button", { name: "Let edit" }).click();
  await expect(vera.right).toHaveCount(0);
  await expect(sheet.getByTestId("exceptions").getByRole("listitem")).toHaveCount(2);
  await ada.page.screenshot({ path: "out/board-rights.png" });
  await isAccessible(ada.page, "who may edit", [".color-picker-container"]);
  await pick(/What Ben may do/, "May edit");
  await expect(ben.right).toHaveCount(0);
  await sheet.getByRole("button", { name: "No exception for Vera" }).click();
  await expect(vera.right).toHaveText("You can look, not edit");
  await pick(/^(?!.*(For whom|may do)).*Who may edit/, "Everybody in the room");
  await expect(vera.right).toHaveCount(0);
  await sheet.getByRole("button", { name: "Close" }).click();
  await vera.draw("r", [60, 120], [140, 180]);
  await ben.draw("o", [60, 240], [140, 300]);
  await areEqual([ada, ben, vera], 2);
});

test("a version that nobody needs any more is deleted, when it was asked for twice", async ({ sit }) => {
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await ada.draw("r", [60, 120], [140, 180]);
  await areEqual([ada, ben], 1);
  await ada.page.getByRole("button", { name: "Versions" }).click();
  const dialog = ada.page.getByRole("dialog", { name: "Versions" });
  for (const name of ["One square", "The same"]) {
    await dialog.getByLabel("Name of the version").fill(name);
    await dialog.getByRole("button", { name: "Keep as it is now" }).click();
    await expect(dialog.getByTestId("versions")).toContainText(name);
  }
  await dialog.getByRole("button", { name: "Show" }).first().click();
  await expect(dialog.locator(".version-picture canvas")).toBeVisible();
  await dialog.getByRole("button", { name: "Delete the version One square" }).click();
  await ada.page.screenshot({ path: "out/board-versions.png" });
  await dialog.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(dialog.getByTestId("versions").getByRole("listitem")).toHaveCount(1);
  await dialog.getByRole("button", { name: "Close" }).click();
  // Not Ben's, and not for him to delete.
  await ben.page.getByRole("button", { name: "Versions" }).click();
  const list = ben.page.getByRole("dialog", { name: "Versions" }).getByTestId("versions");
  await expect(list.getByRole("listitem")).toHaveCount(1);
  await expect(list.getByRole("button", { name: /^Delete/ })).toHaveCount(0);
});

test("another site shows the board in a frame of its own, and one draws there", async ({ browser }) => {
  let origin = "";
  let server: Server | undefined;
  const site = createServer((request, response) => {
    if (request.url === "/token") return response.end(server?.token("--user", "ada", "--name", "Ada"));
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><html lang="en"><title>School</title><body>
      <iframe src="${server?.url}/embed/r/${ROOM}/board" title="Board" width="1100" height="700"></iframe><script>
        addEventListener("message", async ({ origin, data, source }) => {
          if (origin !== "${server?.url}" || data?.type !== "stoa:token-request") return;
          source.postMessage({ type: "stoa:token", token: await (await fetch("/token")).text() }, origin);
        });
      </script></body></html>`);
  });
  await new Promise<void>((resolve) => site.listen(0, resolve));
  origin = `http://localhost:${(site.address() as AddressInfo).port}`;
  server = await Server.start(["--frame-ancestor", origin], { dev: false });
  try {
    await server.call("PUT", `/v1/rooms/${ROOM}`, { kind: "group", title: "Geometry", members: [{ user: "ada" }] });
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${origin}/course`);
    const frame = page.frameLocator("iframe");
    await expect(frame.getByTestId("saved")).toHaveText("Saved");
    const box = await frame.getByTestId("board").boundingBox();
    if (!box) throw new Error("there is no board");
    await frame.locator(".excalidraw").first().focus();
    await page.keyboard.press("r");
    await page.mouse.move(box.x + LEFT + 60, box.y + 120);
    await page.mouse.down();
    await page.mouse.move(box.x + LEFT + 160, box.y + 200, { steps: 4 });
    await page.mouse.up();
    await expect(frame.getByTestId("board")).toHaveAttribute("data-shapes", "1");
    await expect(frame.getByTestId("saved")).toHaveText("Saved");
    const content = await server.call("GET", `/v1/rooms/${ROOM}/documents/board/json`);
    expect(Object.keys(content.elements as object)).toHaveLength(1);
    await page.screenshot({ path: "out/board-embedded.png" });
  } finally {
    await server.stop();
    site.close();
  }
});
