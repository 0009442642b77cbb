// Tests speak of people in tabs: `people("Ada")` is a browser of her own in which she has logged in.
import { type BrowserContextOptions, test as base, expect, type Locator, type Page } from "@playwright/test";
import { Server } from "./server.ts";

export { expect };

/** Somebody in a tab of a browser of their own. */
export class Person {
  readonly page: Page;
  readonly name: string;

  constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
  }

  get field(): Locator {
    return this.page.locator("textarea");
  }
  get banner(): Locator {
    return this.page.getByTestId("banner");
  }
  get status(): Locator {
    return this.page.getByTestId("status");
  }
  /** Messages that are in the log. */
  get messages(): Locator {
    return this.page.locator("article[data-seq] .text");
  }
  /** Messages that are not. */
  get pending(): Locator {
    return this.page.locator("article[data-status]");
  }

  /** The message with these words, edited or not; not one that quotes them. */
  message(text: string): Locator {
    const words = new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(edited)?$`);
    return this.page.locator("article[data-seq]", { has: this.page.locator(".text").filter({ hasText: words }) });
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

  async sees(texts: string[]): Promise<void> {
    await expect(this.messages).toHaveText(texts);
    await expect(this.pending).toHaveCount(0);
  }
}

type People = (name: string, options?: BrowserContextOptions & { path?: string }) => Promise<Person>;

export const test = base.extend<{ flags: string[]; server: Server; people: People }>({
  /** More flags for the server: `test.use({ flags: [...] })`. */
  flags: [[], { option: true }],

  server: async ({ flags }, use) => {
    const server = await Server.start(flags);
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
      await page.getByLabel("Your name").fill(name);
      await page.getByRole("button", { name: "Enter" }).click();
      const person = new Person(page, name);
      await person.isIn();
      return person;
    });
    for (const context of contexts) await context.close();
    expect(complaints).toEqual([]);
  },
});
