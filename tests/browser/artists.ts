// People at the board of a room: `sit("Ada", "host")` is a browser of her own with the board open.
import { readFile } from "node:fs/promises";
import type { BrowserContextOptions, Page } from "@playwright/test";
import { test as base, expect } from "./people.ts";
import type { Server } from "./server.ts";

export { expect };

export type Shape = { id: string; type: string; x: number; y: number; index: string } & Record<string, unknown>;
type Role = "host" | "member" | "viewer";

export const ROOM = "geometry";
/** Width of what lies over the board at its left. */
export const LEFT = 220;
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** Somebody at the board of the room. */
export class Artist {
  readonly page: Page;
  /** Cuts the line of this page alone. */
  isCut = false;
  readonly #lines = new Set<{ close(options: { code: number }): Promise<void> }>();

  constructor(page: Page) {
    this.page = page;
  }

  get board() {
    return this.page.getByTestId("board");
  }
  get saved() {
    return this.page.getByTestId("saved");
  }
  get right() {
    return this.page.getByTestId("right");
  }
  get fill() {
    return this.page.getByTestId("fill");
  }
  get aside() {
    return this.page.getByTestId("aside");
  }
  get text() {
    return this.page.locator(".cm-content");
  }

  /** Lets every line of this page go through our hands. */
  async watchLines(): Promise<void> {
    await this.page.routeWebSocket(/\/v1\/ws/, (line) => {
      if (this.isCut) return void line.close({ code: 1006 - 5 });
      this.#lines.add(line);
      line.connectToServer();
      line.onClose(() => void this.#lines.delete(line));
    });
  }

  async cut(): Promise<void> {
    this.isCut = true;
    const lines = [...this.#lines];
    this.#lines.clear();
    for (const line of lines) await line.close({ code: 1001 });
    await expect(this.saved).toContainText("Offline");
  }

  mend(): void {
    this.isCut = false;
  }

  async sits(saved = "Saved"): Promise<void> {
    await expect(this.page.locator(".excalidraw canvas.interactive")).toBeVisible();
    await expect(this.saved).toHaveText(saved);
  }

  /** Draws by the mouse, from one place on the board to another. */
  async draw(tool: "r" | "o" | "a" | "p", from: [number, number], to: [number, number]): Promise<void> {
    await this.begin(tool, from, to);
    await this.page.mouse.up();
  }

  async begin(tool: string, [x, y]: [number, number], to: [number, number]): Promise<void> {
    await this.take(tool);
    const found = await this.board.boundingBox();
    if (!found) throw new Error("there is no board");
    // Beside the panel of colours, which comes with the first selection.
    const box = { x: found.x + LEFT, y: found.y };
    await this.page.mouse.move(box.x + x, box.y + y);
    await this.page.mouse.down();
    await this.page.mouse.move(box.x + (x + to[0]) / 2, box.y + (y + to[1]) / 2, { steps: 3 });
    await this.page.mouse.move(box.x + to[0], box.y + to[1], { steps: 3 });
  }

  /** Takes a tool by its key; the board has to have the focus. */
  async take(key: string): Promise<void> {
    await this.page.locator(".excalidraw").first().focus();
    await this.page.keyboard.press("Escape");
    await this.page.keyboard.press(key);
  }

  /** Lets an image fall onto the board, as from a folder. */
  async dropImage(): Promise<void> {
    await this.page.locator(".excalidraw canvas.interactive").evaluate(async (canvas) => {
      const picture = new OffscreenCanvas(120, 80);
      const context = picture.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.fillStyle = "#3366cc";
      context.fillRect(0, 0, 120, 80);
      const file = new File([await picture.convertToBlob({ type: "image/png" })], "blue.png", { type: "image/png" });
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(file);
      const place = { clientX: 420, clientY: 400, bubbles: true, cancelable: true, dataTransfer };
      canvas.dispatchEvent(new DragEvent("drop", place));
    });
  }

  async hasShapes(count: number): Promise<void> {
    await expect(this.board).toHaveAttribute("data-shapes", String(count), { timeout: 30_000 });
  }

  /** What is on the board, as this page gives it away. */
  async content(): Promise<Shape[]> {
    await this.page.locator("[data-testid=main-menu-trigger]").click();
    const coming = this.page.waitForEvent("download");
    await this.page.getByText("Download as a file (.excalidraw)").click();
    const download = await coming;
    const file = JSON.parse(await readFile(await download.path(), "utf8")) as { elements: Shape[] };
    return file.elements;
  }

  async show(tab: "Board" | "Notes" | "Code"): Promise<void> {
    await this.page.getByRole("tab", { name: tab }).click();
  }

  /** Begins the room's notes, as a host, and puts the cursor into them. */
  async startNotes(): Promise<void> {
    await this.show("Notes");
    await this.page.getByRole("button", { name: "Start shared notes" }).click();
    await this.text.click();
  }

  /** Puts so many characters into the text at once, in lines. */
  async paste(length: number, letter = "x"): Promise<void> {
    const pasted = `${letter.repeat(99)}\n`.repeat(length / 100);
    await this.text.evaluate((node, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", text);
      node.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, pasted);
  }
}

type Sitting = (name: string, role?: Role, options?: BrowserContextOptions, saved?: string) => Promise<Artist>;

export const test = base.extend<{ sit: Sitting }>({
  sit: async ({ browser, server }, use) => {
    const complaints: string[] = [];
    const contexts: { close(): Promise<void> }[] = [];
    await createRoom(server);
    await use(async (name, role = "member", options = {}, saved = "Saved") => {
      const context = await browser.newContext({ baseURL: server.url, acceptDownloads: true, ...options });
      contexts.push(context);
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(`${name}: ${error.message}`));
      page.on("request", (request) => {
        const { origin, protocol } = new URL(request.url());
        if (protocol.startsWith("http") && origin !== server.url) complaints.push(`${name} asked ${request.url()}`);
      });
      page.on("console", (message) => {
        if (/content security policy|refused to/i.test(message.text())) complaints.push(`${name}: ${message.text()}`);
      });
      const artist = new Artist(page);
      await artist.watchLines();
      const token = server.personToken(name.toLowerCase().replaceAll(" ", "-"), name, role, ROOM);
      await page.goto(`/r/${ROOM}/board#token=${token}`);
      await artist.sits(saved);
      return artist;
    });
    for (const context of contexts) await context.close();
    expect(complaints).toEqual([]);
  },
});

async function createRoom(server: Server): Promise<void> {
  const response = await fetch(`${server.url}/v1/rooms/${ROOM}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${server.serviceToken()}`, "content-type": "application/json" },
    body: JSON.stringify({ kind: "class", title: "Geometry" }),
  });
  if (!response.ok) throw new Error(`no room: ${response.status} ${await response.text()}`);
}

/** Everybody has the same shapes in the same order, each in a place of its own. */
export async function areEqual(artists: Artist[], count: number): Promise<Shape[]> {
  for (const artist of artists) {
    await artist.hasShapes(count);
    await expect(artist.saved).toHaveText("Saved", { timeout: 30_000 });
  }
  const [first, ...others] = await Promise.all(artists.map((artist) => artist.content()));
  for (const other of others) expect(other).toEqual(first);
  const indices = (first as Shape[]).map(({ index }) => index);
  expect(new Set(indices).size).toBe(indices.length);
  expect(indices).toEqual([...indices].sort());
  return first as Shape[];
}
