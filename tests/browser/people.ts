// Tests speak of people in tabs: `people("Ada")` is a browser of her own in which she has logged in.
import { type BrowserContextOptions, test as base, expect, type Locator, type Page } from "@playwright/test";
import { Server } from "./server.ts";

export { expect };

/** So many short messages are elements at the same time in any case. */
const MOUNTED = 20;

/** Longer than the list takes a pause in scrolling for its end. */
const QUIET_MS = 250;

/** Somebody in a tab of a browser of their own. */
export class Person {
  readonly page: Page;
  readonly name: string;

  constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
  }

  /** The room itself, without what stands beside it. */
  get room(): Locator {
    return this.page.locator("main.room");
  }
  get timeline(): Locator {
    return this.page.getByTestId("timeline");
  }
  get field(): Locator {
    return this.room.locator("textarea");
  }
  get banner(): Locator {
    return this.page.getByTestId("banner");
  }
  get status(): Locator {
    return this.page.getByTestId("status");
  }
  /** Messages that are in the log. */
  get messages(): Locator {
    return this.room.locator("article[data-seq] .text");
  }
  /** Messages that are not. */
  get pending(): Locator {
    return this.room.locator("article[data-status]");
  }

  /** The message with these words, edited or not; not one that quotes them. */
  message(text: string): Locator {
    const words = new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(edited)?$`);
    return this.room.locator("article[data-seq]", { has: this.page.locator(".text").filter({ hasText: words }) });
  }

  /** Presses a button in the room's head, also where it stands behind the others. */
  async head(name: string): Promise<void> {
    const more = this.page.getByTestId("head-more");
    if (await more.isVisible()) await more.click();
    await this.page.locator(".room-head").getByRole("button", { name, exact: true }).click();
  }

  /** Does something with a message by the buttons beside it. */
  async act(text: string, action: "Reply" | "Reply in thread" | "Edit" | "React" | "More actions"): Promise<void> {
    await this.message(text).hover();
    await this.still();
    await this.message(text).hover();
    await this.message(text).getByRole("button", { name: action, exact: true }).click();
  }

  /** Brings something of a message on the screen, to be pressed there. */
  async within(part: Locator): Promise<Locator> {
    await part.scrollIntoViewIfNeeded();
    await this.still();
    return part;
  }

  /**
   * Waits until the messages stand still: while they are scrolled they take no pointer, and rows that were measured on the
   * way are put right a moment after the last of it.
   */
  async still(): Promise<void> {
    await this.timeline.evaluate(async (box, quietMs) => {
      const rows = box.querySelector<HTMLElement>(".rows > div") as HTMLElement;
      let [top, since] = [box.scrollTop, performance.now()];
      while (performance.now() - since < quietMs) {
        await new Promise(requestAnimationFrame);
        if (box.scrollTop === top && getComputedStyle(rows).pointerEvents !== "none") continue;
        [top, since] = [box.scrollTop, performance.now()];
      }
    }, QUIET_MS);
  }

  /** Does something with a message by its menu. */
  async choose(text: string, action: string): Promise<void> {
    await this.act(text, "More actions");
    await this.page.getByRole("menuitem", { name: action, exact: true }).click();
  }

  /** Reacts by the picker. */
  async react(text: string, emoji: string): Promise<void> {
    await this.act(text, "React");
    await this.page.locator(".emoji-usual").getByRole("button", { name: emoji }).click();
  }

  async say(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  async goTo(path: string): Promise<void> {
    await this.page.goto(path);
    await this.isIn();
  }

  /** Waits until a room is shown. */
  async isIn(): Promise<void> {
    await expect(this.page.locator("main.room[data-phase=open]")).toBeVisible();
  }

  /** Every message of the room from the oldest on, gathered by scrolling: only those near the view are elements. */
  async texts(): Promise<string[]> {
    return this.timeline.evaluate(async (box) => {
      const frames = async (count: number) => {
        for (let frame = 0; frame < count; frame += 1) await new Promise(requestAnimationFrame);
      };
      const found = new Map<number, string>();
      const gather = () => {
        for (const row of box.querySelectorAll<HTMLElement>("article[data-seq]")) {
          found.set(Number(row.dataset.seq), row.querySelector(".text")?.textContent ?? "");
        }
      };
      box.scrollTop = 0;
      await frames(12);
      for (let last = -1; box.scrollTop !== last; ) {
        gather();
        last = box.scrollTop;
        box.scrollTop += box.clientHeight / 2;
        await frames(4);
      }
      gather();
      return [...found].sort(([a], [b]) => a - b).map(([, text]) => text);
    });
  }

  async sees(texts: string[]): Promise<void> {
    if (texts.length > MOUNTED) await expect.poll(() => this.texts(), { timeout: 45_000 }).toEqual(texts);
    else await expect(this.messages).toHaveText(texts);
    await expect(this.pending).toHaveCount(0);
  }
}

type People = (name: string, options?: BrowserContextOptions & { path?: string }) => Promise<Person>;

export const test = base.extend<{ flags: string[]; env: Record<string, string>; server: Server; people: People }>({
  /** More flags for the server: `test.use({ flags: [...] })`. */
  flags: [[], { option: true }],

  /** Variables of its environment. */
  env: [{}, { option: true }],

  server: async ({ flags, env }, use) => {
    const server = await Server.start(flags, { env });
    await use(server);
    await server.stop();
  },

  people: async ({ browser, server }, use) => {
    const complaints: string[] = [];
    const contexts: { close(): Promise<void> }[] = [];
    await use(async (name, { path = "/r/lobby", ...options } = {}) => {
      const context = await browser.newContext({ baseURL: server.url, ...options });
      contexts.push(context);
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(`${name}: ${error.message}`));
      page.on("dialog", (dialog) => complaints.push(`${name}: a dialog "${dialog.message()}"`));
      page.on("console", (message) => {
        if (/content security policy|refused to/i.test(message.text())) complaints.push(`${name}: ${message.text()}`);
      });
      await page.goto(path);
      await page.getByLabel(/^(Your name|Votre nom)$/).fill(name);
      await page.getByRole("button", { name: /^(Enter|Entrer)$/ }).click();
      const person = new Person(page, name);
      await person.isIn();
      return person;
    });
    for (const context of contexts) await context.close();
    expect(complaints).toEqual([]);
  },
});
