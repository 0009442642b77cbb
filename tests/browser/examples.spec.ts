// The examples of the documentation do what they say: served by another origin than the server's, as a host application
// would.
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test as base, expect } from "@playwright/test";
import { Server } from "./server.ts";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

async function tokenFor(stoa: string, name: string): Promise<string> {
  const answer = await fetch(new URL("/v1/dev/login", stoa), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name }),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { token: string }).token;
}

/** A host application: an example with the server's address in it, and tokens. */
const test = base.extend<{ stoa: Server; host: (example: string, name: string) => Promise<string> }>({
  // biome-ignore lint/correctness/noEmptyPattern: the first argument must be a pattern.
  stoa: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.stop();
  },
  host: async ({ stoa }, use) => {
    const hosts: ReturnType<typeof createServer>[] = [];
    await use(async (example, name) => {
      const html = (await readFile(at(`examples/${example}`), "utf8")).replaceAll("https://stoa.example", stoa.url);
      const host = createServer(async (request, response) => {
        if (request.url !== "/stoa-token") return void response.setHeader("content-type", "text/html").end(html);
        response.end(await tokenFor(stoa.url, name));
      });
      hosts.push(host);
      await new Promise<void>((listening) => host.listen(0, "127.0.0.1", listening));
      const address = host.address();
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
    });
    for (const host of hosts) {
      host.closeAllConnections();
      host.close();
    }
  },
});

test("a room in a plain page of another origin", async ({ browser, host }) => {
  const [ada, ben] = [await browser.newPage(), await browser.newPage()];
  await ada.goto(await host("plain.html", "ada"));
  await ben.goto(await host("plain.html", "ben"));
  const said: string[] = [];
  for (const [page, words] of [
    [ada, "Hello from a plain page"],
    [ben, "And back"],
  ] as const) {
    await page.getByLabel("Message").fill(words);
    await page.getByLabel("Message").press("Enter");
    said.push(words);
    for (const each of [ada, ben]) await expect(each.locator("#log li")).toHaveText(said);
  }
});

test("the page in a frame gets its token from the page around it", async ({ page, host }) => {
  await page.goto(await host("iframe.html", "ada"));
  const frame = page.frameLocator("iframe");
  const field = frame.getByRole("textbox").first();
  await field.fill("Hello from a frame");
  await field.press("Enter");
  await expect(frame.locator("article[data-seq] .text")).toHaveText(["Hello from a frame"]);
});

test("a program in Node says something, with a WebSocket that it was given", async ({ stoa }) => {
  // Where the package and `ws` are installed, as they would be beside a program of one's own.
  const folder = await mkdtemp(at("web/node_modules/.example-"));
  try {
    await cp(at("examples/node.mjs"), `${folder}/node.mjs`);
    const env = { ...process.env, STOA_URL: stoa.url, STOA_TOKEN: await tokenFor(stoa.url, "ada") };
    const run = (...args: string[]) => promisify(execFile)(process.execPath, [`${folder}/node.mjs`, ...args], { env });
    expect((await run("lobby", "One")).stdout).toContain("committed at");
    // That it ends by itself shows that nothing was left running.
    const { stdout } = await run("lobby", "Two");
    expect(stdout).toMatch(/\d+ ada: One/);
    env.STOA_TOKEN = "no token";
    await expect(run("lobby")).rejects.toMatchObject({ stderr: expect.stringContaining("token") });
  } finally {
    await rm(folder, { recursive: true });
  }
});
