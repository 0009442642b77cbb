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
