// The ways in as in production: tokens from the page around, from a login page, and codes of links.
import { createServer, type Server as HttpServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Page, test } from "@playwright/test";
import { isAccessible } from "./axe.ts";
import { Server } from "./server.ts";

let site: HttpServer;
let port: number;
let server: Server;
/** What the host application answers at an address of its own. */
let answer: (url: URL, response: ServerResponse) => void;

/** Another site, on two origins: the server knows `localhost` alone. */
const origin = () => `http://localhost:${port}`;
const stranger = () => `http://127.0.0.1:${port}`;

const html = (body: string) => `<!doctype html><html lang="en"><title>School</title><body>${body}</body></html>`;
const inRoom = (page: { locator: Page["locator"] }) => page.locator("main.room[data-phase=open]");

test.beforeAll(async () => {
  site = createServer((request, response) => answer(new URL(request.url ?? "/", origin()), response));
  await new Promise<void>((resolve) => site.listen(0, resolve));
  ({ port } = site.address() as AddressInfo);
  server = await Server.start(["--frame-ancestor", origin(), "--login-url", `${origin()}/login?from=stoa`], {
    dev: false,
  });
  await server.call("PUT", "/v1/rooms/maths", { kind: "group", title: "Maths", members: [{ user: "ada" }] });
  await server.call("PUT", "/v1/users/ada", { name: "Ada" });
});

test.afterAll(async () => {
  await server.stop();
  site.close();
});

test("a page that may embed hands tokens over, again before they expire", async ({ page }) => {
  let handed = 0;
  answer = (url, response) => {
    if (url.pathname === "/token") {
      handed += 1;
      // The first is over in seconds.
      return response.end(server.token("--user", "ada", "--expires-in", handed === 1 ? "6s" : "1h"));
    }
    response.setHeader("content-type", "text/html");
    response.end(
      html(`<iframe src="${server.url}/embed/r/maths" title="Room" width="900" height="600"></iframe><script>
        addEventListener("message", async ({ origin, data, source }) => {
          if (origin !== "${server.url}" || data?.type !== "stoa:token-request") return;
          const token = await (await fetch("/token")).text();
          source.postMessage({ type: "stoa:token", token }, origin);
        });
      </script>`),
    );
  };
  await page.goto(`${origin()}/course`);
  const frame = page.frameLocator("iframe");
  await expect(inRoom(frame)).toBeVisible();
  await frame.locator("textarea").fill("From inside of a frame");
  await frame.locator("textarea").press("Enter");
  await expect(frame.locator("article[data-seq]")).toHaveText(/From inside of a frame/);
  await expect.poll(() => handed).toBeGreaterThan(1);
  // The connection outlives the first token.
  await expect(frame.getByTestId("banner")).not.toHaveClass(/shown/);
  await isAccessible(page, "embedded");
});

test("a page that may not embed shows nothing, and only the parent's tokens are taken", async ({ page }) => {
  answer = (url, response) => {
    response.setHeader("content-type", "text/html");
    if (url.pathname === "/evil") {
      const token = server.token("--user", "ada");
      return response.end(
        html(`<script>setInterval(() => {
          for (const to of [parent.frames[0], parent.frames[1]])
            to?.postMessage({ type: "stoa:token", token: "${token}" }, "*");
          parent.postMessage("tried", "*");
        }, 50)</script>`),
      );
    }
    response.end(
      html(`<iframe src="${server.url}/embed/r/maths" title="Room"></iframe>
        <script>
          let tried = 0;
          addEventListener("message", ({ data, source }) => {
            if (data === "tried") document.title = "tried " + ++tried;
            if (data?.type === "stoa:token-request") document.body.dataset.asked = "yes";
          });
        </script>
        <iframe src="${stranger()}/evil" title="Other"></iframe>`),
    );
  };
  // The browser obeys `frame-ancestors`.
  const refused = page.waitForEvent("console", (message) => /frame-ancestors/.test(message.text()));
  await page.goto(`${stranger()}/course`);
  await refused;
  await expect(page.frameLocator("iframe >> nth=0").locator("#root")).toHaveCount(0);

  // The parent may, and says nothing; another frame of its page talks in its place.
  await page.goto(`${origin()}/course`);
  const frame = page.frameLocator("iframe >> nth=0");
  await expect(frame.getByText("Asking the site around this page who you are…")).toBeVisible();
  await expect(page.locator("body")).toHaveAttribute("data-asked", "yes");
  await expect(page).toHaveTitle(/tried \d\d/);
  await expect(inRoom(frame)).toHaveCount(0);
});

test("who has no token is sent to the login page and comes back", async ({ page }) => {
  const returns: (string | null)[] = [];
  let isKnown = false;
  answer = (url, response) => {
    const to = url.searchParams.get("return_to");
    if (url.pathname !== "/login") return response.writeHead(404).end();
    returns.push(to);
    expect(url.searchParams.get("from")).toBe("stoa");
    const token = isKnown ? `#token=${server.token("--user", "ada")}` : "";
    response.writeHead(302, { location: `${to}${token}` }).end();
  };
  // A login page that sends back nobody is not asked for ever.
  await page.goto(`${server.url}/r/maths`);
  await expect(page.getByText("You came back from the login page without a sign-in.")).toBeVisible();
  expect(returns).toEqual([`${server.url}/r/maths`]);
  await isAccessible(page, "without a token");
  isKnown = true;
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(inRoom(page)).toBeVisible();
  expect(page.url()).toBe(`${server.url}/r/maths`);
  expect(returns).toEqual([`${server.url}/r/maths`, `${server.url}/r/maths`]);
  expect(await page.evaluate(() => document.documentElement.outerHTML.includes("token="))).toBe(false);
});

test("an invitation is made, opened after logging in, accepted, and revoked", async ({ browser, page }) => {
  await server.call("PUT", "/v1/rooms/physics", {
    kind: "group",
    title: "Physics",
    members: [{ user: "ada", role: "host" }],
  });
  await page.goto(`${server.url}/r/physics#token=${server.token("--user", "ada", "--name", "Ada")}`);
  await expect(inRoom(page)).toBeVisible();
  await page.getByRole("button", { name: "Invite people" }).click();
  const dialog = page.getByRole("dialog", { name: "Invite people" });
  await dialog.getByRole("button", { name: "Create link" }).click();
  const url = await dialog.getByLabel("Link", { exact: true }).inputValue();
  expect(url).toMatch(/\/invite#/);
  await isAccessible(page, "inviting");

  answer = (asked, response) => {
    const to = asked.searchParams.get("return_to") ?? "";
    // The code is nobody's but the page's.
    expect(to).toBe(`${server.url}/invite`);
    const token = server.token("--user", "ben", "--name", "Ben");
    response.writeHead(302, { location: `${to}#token=${token}` }).end();
  };
  const context = await browser.newContext();
  const ben = await context.newPage();
  await ben.goto(url);
  await expect(ben.getByText("Ada invites you to")).toBeVisible();
  await expect(ben.getByRole("heading", { name: "Physics" })).toBeVisible();
  await isAccessible(ben, "invited");
  await ben.getByRole("button", { name: "Join" }).click();
  await expect(inRoom(ben)).toBeVisible();
  await expect(ben).toHaveURL(`${server.url}/r/physics`);
  await expect(page.getByTestId("people")).toContainText("Ben");
  await context.close();

  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(dialog.getByRole("button", { name: "Revoke" })).toHaveCount(0);
  const late = await (await browser.newContext()).newPage();
  answer = (asked, response) => {
    const token = server.token("--user", "cyd", "--name", "Cyd");
    response.writeHead(302, { location: `${asked.searchParams.get("return_to")}#token=${token}` }).end();
  };
  await late.goto(url);
  await expect(late.getByText("It was withdrawn.", { exact: false })).toBeVisible();
  await late.context().close();
});

test("a join link lets a guest in without an account, again after a reload, and not when it is revoked", async ({
  browser,
  page,
}) => {
  await server.call("PUT", "/v1/rooms/trial", {
    kind: "group",
    title: "Trial hour",
    members: [{ user: "ada", role: "host" }],
  });
  await page.goto(`${server.url}/r/trial#token=${server.token("--user", "ada", "--name", "Ada")}`);
  await page.getByRole("button", { name: "Invite people" }).click();
  const dialog = page.getByRole("dialog", { name: "Invite people" });
  await dialog.getByRole("tab", { name: "Without an account" }).click();
  await dialog.getByRole("button", { name: "Create link" }).click();
  const url = await dialog.getByLabel("Link", { exact: true }).inputValue();
  expect(url).toMatch(/\/join#/);

  const context = await browser.newContext({ locale: "fr-FR", viewport: { width: 390, height: 844 } });
  const guest = await context.newPage();
  await guest.goto(url);
  await expect(guest.getByRole("heading", { name: "Trial hour" })).toBeVisible();
  await isAccessible(guest, "a join link in French on a phone");
  await guest.getByLabel("Votre nom").fill("Zoé");
  await guest.getByRole("button", { name: "Rejoindre" }).click();
  await expect(inRoom(guest)).toBeVisible();
  await expect(guest).toHaveURL(`${server.url}/r/trial`);
  await expect(page.getByTestId("people")).toContainText("Zoé");
  await guest.reload();
  await expect(inRoom(guest)).toBeVisible();
  // The address alone is enough for the same browser, in another tab too; it is the same guest, and one use.
  const tab = await context.newPage();
  await tab.goto(`${server.url}/r/trial`);
  await expect(inRoom(tab)).toBeVisible();
  await tab.close();
  await expect(dialog.getByText("used 0 of 1").or(dialog.getByText("used 1 of 1"))).toBeVisible();

  // Another browser comes too late.
  const other = await (await browser.newContext()).newPage();
  await other.goto(url);
  await expect(other.getByText("It was used as often as it may be.", { exact: false })).toBeVisible();
  await other.goto(`${server.url}/join#no-such-code`);
  await expect(other.getByText("It is not known here.", { exact: false })).toBeVisible();
  await other.context().close();

  const { links } = (await server.call("GET", "/v1/rooms/trial/links")) as { links: { id: string }[] };
  await server.call("DELETE", `/v1/rooms/trial/links/${links[0]?.id}`);
  await expect(guest.getByTestId("banner")).toContainText("Votre");
  await context.close();
});
