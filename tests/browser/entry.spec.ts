// The ways into a room: below a path prefix, with a token in hand, and through the client in somebody else's page.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Person, test } from "./people.ts";

const login = (person: Person): Promise<string> =>
  person.page.evaluate(async () => JSON.parse(sessionStorage.getItem("stoa.login") ?? "{}").token);

test.describe("below a path prefix", () => {
  test.use({ flags: ["--public-url", "http://127.0.0.1/deep/stoa"] });

  test("the page, its rooms and its links stay below it", async ({ people }) => {
    const ada = await people("Ada", { path: "/deep/stoa/r/lobby" });
    const ben = await people("Ben", { path: "/deep/stoa/" });
    await expect(ben.page).toHaveURL(/\/deep\/stoa\/r\/lobby$/);
    await ada.say("Below");
    await ben.sees(["Below"]);
    await expect(ben.page.getByRole("link", { name: /Lobby/ })).toHaveAttribute("href", "/deep/stoa/r/lobby");
    await ada.page.reload();
    await ada.isIn();
    await ada.sees(["Below"]);
  });
});

test("a token in the address opens the room and leaves the address at once", async ({ people, browser, server }) => {
  const ada = await people("Ada");
  const token = await login(ada);
  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  await page.goto(`/r/lobby#token=${token}`);
  await expect(page.locator("main.room[data-phase=open]")).toBeVisible();
  expect(page.url()).toBe(`${server.url}/r/lobby`);
  await expect(page.getByRole("button", { name: "Log out" })).toHaveCount(0);
  await page.reload();
  await expect(page.locator("main.room[data-phase=open]")).toBeVisible();
  await context.close();
});

test("a token that is no good says so", async ({ browser, server }) => {
  const context = await browser.newContext({ baseURL: server.url });
  const page = await context.newPage();
  await page.goto("/r/lobby#token=no.good.token");
  await expect(page.getByTestId("banner")).toContainText("The server does not accept this sign-in.");
  await context.close();
});

test("the example of the guide is a complete chat", async ({ people, browser, server }) => {
  const ada = await people("Ada");
  const token = await login(ada);
  const guide = await readFile(new URL("../../docs/client.md", import.meta.url), "utf8");
  const example = /```html\n([\s\S]*?)```/.exec(guide)?.[1] ?? "";
  expect(example.split("\n").length).toBeLessThanOrEqual(14);
  // Another site, with a backend of its own that hands out tokens.
  const site = createServer((request, response) => {
    const isToken = request.url === "/stoa-token";
    response.setHeader("content-type", isToken ? "text/plain" : "text/html");
    response.end(isToken ? token : example.replaceAll("https://stoa.example", server.url));
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const { port } = site.address() as AddressInfo;
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://localhost:${port}/course`);
  await page.locator("#say").fill("From another page");
  await page.locator("#say").press("Enter");
  await expect(page.locator("#log li")).toHaveText(["From another page"]);
  await ada.goTo("/r/lobby");
  await ada.sees(["From another page"]);
  await ada.say("Seen");
  await expect(page.locator("#log li")).toHaveText(["From another page", "Seen"]);
  await context.close();
  site.close();
});
