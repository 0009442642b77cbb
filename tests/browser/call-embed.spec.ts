// A call in the frame of another site: with the rights that it has to be given, and without them.
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, expect, type FrameLocator, type Page, test } from "@playwright/test";
import { isAccessible } from "./axe.ts";
import { FAKE_DEVICES } from "./calls.ts";
import config from "./playwright.config.ts";
import { Server } from "./server.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

let site: HttpServer;
let server: Server;
let origin: string;

/** The list of docs/embedding.md. */
const ALLOW = "camera; microphone; display-capture; fullscreen; autoplay";

test.beforeAll(async () => {
  site = createServer((request, response) => {
    const url = new URL(request.url ?? "/", origin);
    const user = url.searchParams.get("user") ?? "";
    if (url.pathname === "/token") return response.end(server.token("--user", user));
    const allow = url.searchParams.get("allow") ?? "";
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><html lang="en"><title>School</title><body>
      <iframe src="${server.url}/embed/r/maths" title="Room" width="1200" height="700" allow="${allow}"></iframe><script>
        addEventListener("message", async ({ origin, data, source }) => {
          if (origin !== "${server.url}" || data?.type !== "stoa:token-request") return;
          const token = await (await fetch("/token?user=${user}")).text();
          source.postMessage({ type: "stoa:token", token }, origin);
        });
      </script></body></html>`);
  });
  await new Promise<void>((resolve) => site.listen(0, resolve));
  origin = `http://localhost:${(site.address() as AddressInfo).port}`;
  server = await Server.start(["--frame-ancestor", origin], { dev: false });
  await server.call("PUT", "/v1/rooms/maths", {
    kind: "group",
    title: "Maths",
    members: [{ user: "ada" }, { user: "ben" }],
  });
});

test.afterAll(async () => {
  await server.stop();
  site.close();
});

async function open(browser: Browser, user: string, allow: string): Promise<[Page, FrameLocator]> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/course?${new URLSearchParams({ user, allow })}`);
  const frame = page.frameLocator("iframe");
  await frame.getByTestId("call-toggle").click();
  return [page, frame];
}

test("a frame with the rights calls; one without says what its page has to allow, and still takes part", async ({
  browser,
}) => {
  const [, ada] = await open(browser, "ada", ALLOW);
  await expect(ada.getByTestId("call-stage").locator("video")).toBeVisible();
  await ada.getByTestId("join").click();
  const [page, ben] = await open(browser, "ben", "");
  const problems = ben.getByTestId("device-problems");
  await expect(problems).toContainText("The page around this one does not allow camera and microphone");
  await expect(problems).toContainText('allow="camera; microphone; display-capture"');
  await page.screenshot({ path: "out/call-not-allowed.png" });
  await isAccessible(page, "a call without rights");

  // Without devices one still sees and hears the others.
  await ben.getByTestId("join").click();
  await expect(ada.locator("[data-testid=tile][data-connection=connected]")).toHaveCount(1);
  const picture = ben.locator("[data-testid=tile][data-connection=connected] video");
  await expect(picture).toBeVisible();
  await expect.poll(() => picture.evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(0.5);
});
