// A room's documents: made, named and deleted by who manages the room, seen by everybody at once, each with a content of
// its own.
import { readFile } from "node:fs/promises";
import { type Artist, areEqual, expect, PHONE, ROOM, test } from "./artists.ts";
import { isAccessible } from "./axe.ts";
import type { Server } from "./server.ts";

/** Excalidraw gives its colour pickers no name. */
const NAMELESS = [".color-picker-container"];

/** How many shapes a board has, as the server has it. */
async function shapesOf(server: Server, document: string): Promise<number> {
  const response = await fetch(`${server.url}/v1/rooms/${ROOM}/documents/${document}/json`, {
    headers: { authorization: `Bearer ${server.serviceToken()}` },
  });
  return Object.keys(((await response.json()) as { elements?: object }).elements ?? {}).length;
}

/** The host application makes documents of these titles. */
async function makeAll(server: Server, titles: [kind: string, title: string][]): Promise<void> {
  for (const [at, [kind, title]] of titles.entries()) {
    const response = await fetch(`${server.url}/v1/rooms/${ROOM}/documents/made-${at}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${server.serviceToken()}`, "content-type": "application/json" },
      body: JSON.stringify({ kind, title }),
    });
    if (!response.ok) throw new Error(`no document: ${response.status} ${await response.text()}`);
  }
}

const tab = ({ page }: Artist, name: string) => page.getByRole("tab", { name, exact: true });
const stage = ({ page }: Artist) => page.getByTestId("stage");

async function create(who: Artist, kind: "Board" | "Notes" | "Code", title: string): Promise<void> {
  await who.page.getByRole("button", { name: "New document" }).click();
  const dialog = who.page.getByRole("dialog", { name: "New document" });
  await dialog.getByText(kind, { exact: true }).click();
  await dialog.getByLabel("Title").fill(title);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(dialog).toHaveCount(0);
}

async function act(who: Artist, action: "Rename" | "Delete"): Promise<void> {
  await who.page.getByRole("button", { name: "Rename or delete" }).click();
  await who.page.getByRole("menuitem", { name: action }).click();
}

test("a second board is made and renamed, the others see it come, and what is drawn there is there alone", async ({
  sit,
  server,
}) => {
  test.setTimeout(120_000);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  await create(ada, "Board", "Sketches");
  await expect(tab(ada, "Sketches (Board)")).toHaveAttribute("aria-selected", "true");
  await ada.sits();
  // It comes to Ben, who stays where he is.
  await expect(tab(ben, "Sketches (Board)")).toHaveAttribute("aria-selected", "false");
  await expect(tab(ben, "Board")).toHaveAttribute("aria-selected", "true");
  await act(ada, "Rename");
  const dialog = ada.page.getByRole("dialog", { name: "Rename" });
  await expect(dialog.getByLabel("Title")).toHaveValue("Sketches");
  await dialog.getByLabel("Title").fill("Week 3");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(tab(ben, "Week 3 (Board)")).toBeVisible();
  await expect(tab(ben, "Sketches (Board)")).toHaveCount(0);
  await tab(ben, "Week 3 (Board)").click();
  await ben.sits();
  await ben.draw("o", [60, 160], [140, 220]);
  await areEqual([ada, ben], 1);
  const name = String(await stage(ben).getAttribute("data-document"));
  expect([await shapesOf(server, name), await shapesOf(server, "board")]).toEqual([1, 0]);
  await tab(ada, "Board").click();
  await ada.sits();
  await ada.hasShapes(0);
  await ada.draw("r", [60, 160], [140, 220]);
  await ada.hasShapes(1);
  await ben.hasShapes(1);
  expect((await ben.content()).map(({ type }) => type)).toEqual(["ellipse"]);

  // The address is the document's own: over a reload, for somebody else, and when the board is opened again.
  expect(new URL(ben.page.url()).pathname).toBe(`/r/${ROOM}/board/${name}`);
  await ben.page.reload();
  await ben.hasShapes(1);
  await expect(tab(ben, "Week 3 (Board)")).toHaveAttribute("aria-selected", "true");
  await ben.page.getByRole("button", { name: "Close board" }).click();
  await ben.page.getByTestId("board-toggle").click();
  await expect(tab(ben, "Week 3 (Board)")).toHaveAttribute("aria-selected", "true");
  await ada.page.goto(`/r/${ROOM}/board/${name}`);
  await expect(tab(ada, "Week 3 (Board)")).toHaveAttribute("aria-selected", "true");
  await ada.page.goto(`/r/${ROOM}/board`);
  await expect(tab(ada, "Board")).toHaveAttribute("aria-selected", "true");
});

test("only who manages the room is offered to make, rename and delete", async ({ sit, server }) => {
  await makeAll(server, [["board", "Sketches"]]);
  const powers = /^(New document|Rename or delete)$/;
  for (const [name, role] of [
    ["Ben", "member"],
    ["Vera", "viewer"],
  ] as const) {
    const who = await sit(name, role);
    await tab(who, "Sketches (Board)").click();
    await who.sits();
    await expect(who.page.getByRole("button", { name: powers })).toHaveCount(0);
    await tab(who, "Notes").click();
    await expect(stage(who)).toContainText("A host can start one for this room.");
  }
  const ada = await sit("Ada", "host");
  await expect(ada.page.getByRole("button", { name: powers })).toHaveCount(2);
  // Every room has its board.
  await ada.page.getByRole("button", { name: "Rename or delete" }).click();
  await expect(ada.page.getByRole("menuitem")).toHaveText(["Rename"]);
});

test("deleting says what is lost, and who was there is told and is back at the board", async ({ sit, server }) => {
  test.setTimeout(120_000);
  await makeAll(server, [["board", "Sketches"]]);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  for (const each of [ada, ben]) {
    await tab(each, "Sketches (Board)").click();
    await each.sits();
  }
  await ben.draw("o", [60, 160], [140, 220]);
  await ben.dropImage();
  await areEqual([ada, ben], 2);
  await act(ada, "Delete");
  const dialog = ada.page.getByRole("dialog", { name: "Delete “Sketches”?" });
  await expect(dialog).toContainText("lost for everybody in this room, with all of its versions");
  await expect(dialog).toContainText("1 other person has it open now.");
  await isAccessible(ada.page, "asked before deleting", NAMELESS);
  await ada.page.screenshot({ path: "out/documents-delete.png" });
  const coming = ada.page.waitForEvent("download");
  await dialog.getByRole("button", { name: "Download a copy" }).click();
  const copy = JSON.parse(await readFile(await (await coming).path(), "utf8")) as Record<"elements" | "files", object>;
  expect([Object.keys(copy.elements).length, Object.keys(copy.files).length]).toEqual([2, 1]);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(tab(ben, "Sketches (Board)")).toBeVisible();
  await act(ada, "Delete");
  await dialog.getByRole("button", { name: "Delete for everybody" }).click();
  for (const each of [ada, ben]) {
    await expect(each.page.getByRole("status").getByText("deleted “Sketches”")).toBeVisible();
    await expect(tab(each, "Sketches (Board)")).toHaveCount(0);
    await expect(tab(each, "Board")).toHaveAttribute("aria-selected", "true");
    await each.sits();
    expect(new URL(each.page.url()).pathname).toBe(`/r/${ROOM}/board`);
  }
  await expect(dialog).toHaveCount(0);
  // An address of it that somebody has kept.
  await ben.page.goto(`/r/${ROOM}/board/made-0`);
  await expect(ben.page.getByText("This document is not in this room any more")).toBeVisible();
  await ben.sits();
});

test("what was not saved when a document was deleted is given to who wrote it", async ({ sit, server }) => {
  await makeAll(server, [["notes", "Minutes"]]);
  const ada = await sit("Ada", "host");
  const ben = await sit("Ben");
  for (const each of [ada, ben]) {
    await tab(each, "Minutes (Notes)").click();
    await each.text.click();
  }
  await ben.cut();
  await ben.page.keyboard.type("Only here");
  await expect(ben.saved).toContainText("Offline:");
  await act(ada, "Delete");
  await ada.page.getByRole("button", { name: "Delete for everybody" }).click();
  await expect(tab(ada, "Board")).toHaveAttribute("aria-selected", "true");
  ben.mend();
  const told = ben.page.getByTestId("deleted");
  await expect(told).toContainText("“Minutes” was deleted");
  await expect(told).toContainText("not saved before");
  await isAccessible(ben.page, "deleted with unsaved work");
  await ben.page.screenshot({ path: "out/documents-deleted.png" });
  const coming = ben.page.waitForEvent("download");
  await told.getByRole("button", { name: "Download" }).click();
  expect(await readFile(await (await coming).path(), "utf8")).toBe("Only here");
  await told.getByRole("button", { name: "Go to the board" }).click();
  await ben.sits();
});

test("by keyboard, arrows move over the tabs, Enter opens one, and the long rest is in a menu", async ({
  sit,
  server,
}) => {
  test.setTimeout(120_000);
  const weeks = Array.from({ length: 12 }, (_, week): [string, string] => [
    week % 3 === 2 ? "notes" : "board",
    `Week ${week + 1}`,
  ]);
  await makeAll(server, weeks);
  const ada = await sit("Ada", "host", { viewport: { width: 1440, height: 900 } });
  await expect(ada.page.getByRole("tab")).toHaveCount(14);
  await tab(ada, "Board").focus();
  await ada.page.keyboard.press("ArrowRight");
  await expect(tab(ada, "Week 1 (Board)")).toBeFocused();
  await ada.page.keyboard.press("ArrowLeft");
  await ada.page.keyboard.press("ArrowLeft");
  await expect(tab(ada, "Code")).toBeFocused();
  await ada.page.keyboard.press("Home");
  await expect(tab(ada, "Board")).toBeFocused();
  await expect(tab(ada, "Board")).toHaveAttribute("aria-selected", "true");
  await ada.page.keyboard.press("End");
  await ada.page.keyboard.press("ArrowLeft");
  await ada.page.keyboard.press("Enter");
  await expect(tab(ada, "Week 12 (Notes)")).toHaveAttribute("aria-selected", "true");
  await expect(tab(ada, "Week 12 (Notes)")).toBeInViewport();
  await expect(ada.text).toBeVisible();
  // One tab alone is in the order of Tab.
  expect(await ada.page.locator("[role=tab][tabindex='0']").count()).toBe(1);
  await isAccessible(ada.page, "many documents");
  await ada.page.screenshot({ path: "out/documents-many.png" });
  await ada.page.getByRole("button", { name: "All documents" }).click();
  await expect(ada.page.getByRole("menuitemradio")).toHaveCount(14);
  await expect(ada.page.getByRole("menuitemradio", { name: "Week 12" })).toHaveAttribute("aria-checked", "true");
  await isAccessible(ada.page, "the menu of documents");
  await ada.page.screenshot({ path: "out/documents-menu.png" });
  await ada.page.getByRole("menuitemradio", { name: "Week 2 (Board)", exact: true }).click();
  await ada.sits();
  await expect(tab(ada, "Week 2 (Board)")).toBeInViewport();
});

test("on a phone the documents are a menu, with everything that can be done with them", async ({ sit, server }) => {
  test.setTimeout(120_000);
  await makeAll(server, [
    ["board", "Sketches for the exhibition in the spring"],
    ["notes", "Minutes"],
  ]);
  const ada = await sit("Ada", "host", { ...PHONE, colorScheme: "dark" });
  const { page } = ada;
  const chosen = page.getByRole("button", { name: /^Shared document: / });
  await expect(page.getByRole("tab")).toHaveCount(0);
  await expect(chosen).toHaveText("Board");
  await chosen.click();
  const names = ["Board", "Sketches for the exhibition in the spring (Board)", "Minutes (Notes)", "Code"];
  await expect(page.getByRole("menuitemradio")).toHaveCount(names.length);
  for (const [at, name] of names.entries()) {
    await expect(page.getByRole("menuitemradio").nth(at)).toHaveAccessibleName(name);
  }
  await expect(page.getByRole("menuitem")).toHaveText(["New document", "Rename", "Who may edit", "Versions"]);
  await isAccessible(page, "the menu on a phone", NAMELESS);
  await page.screenshot({ path: "out/documents-phone-menu.png" });
  await page.getByRole("menuitemradio", { name: /^Sketches/ }).click();
  await ada.sits();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await expect(page.getByRole("button", { name: "Close board" })).toBeInViewport({ ratio: 1 });
  await expect(ada.saved).toBeInViewport({ ratio: 1 });
  await isAccessible(page, "a document on a phone", NAMELESS);
  await page.screenshot({ path: "out/documents-phone.png" });
  await chosen.click();
  await page.getByRole("menuitem", { name: "New document" }).click();
  const dialog = page.getByRole("dialog", { name: "New document" });
  await dialog.getByText("Code", { exact: true }).click();
  await expect(dialog.getByLabel("Title")).toHaveAttribute("placeholder", "Code");
  await isAccessible(page, "a new document on a phone", NAMELESS);
  await page.screenshot({ path: "out/documents-phone-new.png" });
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(chosen).toHaveText("Code");
  await expect(ada.text).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await expect(page.getByRole("button", { name: "Close board" })).toBeInViewport({ ratio: 1 });
  await isAccessible(page, "code on a phone");
  await page.screenshot({ path: "out/documents-phone-code.png" });
  // What has a place of its own elsewhere is in the menu here.
  await chosen.click();
  await page.getByRole("menuitem", { name: "Who may edit" }).click();
  await expect(page.getByRole("dialog", { name: "Who may edit" })).toBeVisible();
});

test("in French the documents are made, named and deleted in French", async ({ sit }) => {
  const ada = await sit("Ada", "host", { locale: "fr-FR" }, "Enregistré");
  await ada.page.getByRole("button", { name: "Nouveau document" }).click();
  const dialog = ada.page.getByRole("dialog", { name: "Nouveau document" });
  await expect(dialog.getByLabel("Titre")).toHaveAttribute("placeholder", "Tableau 2");
  await isAccessible(ada.page, "a new document in French", NAMELESS);
  await ada.page.screenshot({ path: "out/documents-new-french.png" });
  await dialog.getByRole("button", { name: "Créer" }).click();
  await expect(tab(ada, "Tableau 2")).toHaveAttribute("aria-selected", "true");
  await ada.sits("Enregistré");
  await ada.page.screenshot({ path: "out/documents-french.png" });
  await ada.page.getByRole("button", { name: "Renommer ou supprimer" }).click();
  await ada.page.getByRole("menuitem", { name: "Supprimer" }).click();
  await expect(ada.page.getByRole("dialog", { name: "Supprimer «\u00a0Tableau 2\u00a0» ?" })).toBeVisible();
});
