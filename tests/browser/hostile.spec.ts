// What people write is shown as text, whatever it is.
import { expect, test } from "./people.ts";

const MARKS = `Z${"\u0301\u0316\u0489\u0337".repeat(25)}`;
/** What is written; where marks are taken for what they mean, what is shown as well. */
const HOSTILE: (string | [string, string])[] = [
  "<script>globalThis.pwned = 'script'</script>",
  "<img src=x onerror=\"globalThis.pwned = 'image'\">",
  "<svg onload=\"globalThis.pwned = 'svg'\"></svg>",
  "[press](javascript:globalThis.pwned='link') javascript:globalThis.pwned='bare'",
  "JaVaScRiPt:globalThis.pwned='case' data:text/html,<script>1</script> vbscript:x file:///etc/passwd",
  "http://good.example@evil.example/ https://user:secret@evil.example",
  "\u202Egnp.exe is an image\u202C and \u2067isolated",
  `${MARKS} stacked`,
  `${"W".repeat(4000)}`,
  ["line one\n\n\nline\ttwo\u0007\u001b[31mred", "line oneline\ttwo\u0007\u001b[31mred"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is to look like one
  "{{constructor.constructor('globalThis.pwned=1')()}} ${globalThis.pwned=1}",
  // The same inside of marks.
  [
    "**<img src=x onerror=globalThis.pwned=1>** `<script>1</script>`",
    "<img src=x onerror=globalThis.pwned=1> <script>1</script>",
  ],
  ["> <iframe src=javascript:globalThis.pwned=1></iframe>", "<iframe src=javascript:globalThis.pwned=1></iframe>"],
  ["```html\n<script>globalThis.pwned=1</script>\n```", "<script>globalThis.pwned=1</script>"],
  "[a](javascript:globalThis.pwned=1) [b](data:text/html,x) [c](vbscript:x) ![d](javascript:x)",
  ["![picture](https://other.example/track.png)", "!picture"],
  ["[https://bank.example](https://other.example/)", "https://other.example/"],
  '<https://x.example" onmouseover=globalThis.pwned=1>',
  ["- \u202Eone\n- **\u2067two**", "\u202Eone\u2067two"],
  `${">".repeat(2_000)} deep`,
  `${"- ".repeat(2_000)}deep`,
  "[".repeat(3_000),
  "\u0301".repeat(4_000),
];

test("hostile words, names and titles are inert", async ({ people, server }) => {
  const ada = await people("Ada");
  const mallory = await people("Mallory");
  const room = await mallory.page.evaluate(
    async ({ texts, name }) => {
      const { connect } = await import(new URL("/client/v1.js", location.href).href);
      const login = await fetch("/v1/dev/login", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name }),
      });
      const { token } = await login.json();
      const client = connect({ url: new URL("/v1/ws", location.href), token: () => token });
      const title = "<b onclick=alert(1)>\u202Eeltit</b>";
      const { room, created } = client.createRoom({ kind: "group", title, topic: "<i>topic</i> \u202Ecipot" });
      await created;
      const lobby = client.room("lobby");
      await lobby.open();
      let last = Promise.resolve(0);
      for (const text of texts) last = lobby.send(text).acked;
      await last;
      await lobby.react(await last, "\u202E<b>", true).catch(() => {});
      const own = client.room(room);
      await own.open();
      await own.send("in a room with a hostile name").acked;
      return room;
    },
    {
      texts: HOSTILE.map((text) => (Array.isArray(text) ? text[0] : text)),
      name: `<script>globalThis.pwned='name'</script>`,
    },
  );

  // Every character is there as text, and nothing else came of it.
  const shown = HOSTILE.map((text) => (Array.isArray(text) ? text[1] : text));
  await expect.poll(() => ada.texts()).toEqual(shown);
  const log = ada.page.locator(".timeline");
  await expect(log.locator("script, img, svg:not(.icon), iframe, object, b, i, style")).toHaveCount(0);
  const links = await ada.page
    .locator("a[target]")
    .evaluateAll((all) =>
      all.map((a) => [(a as HTMLAnchorElement).protocol, (a as HTMLAnchorElement).rel, (a as HTMLAnchorElement).host]),
    );
  for (const [protocol, rel] of links) {
    expect(protocol).toMatch(/^https?:$/);
    expect(rel).toContain("noopener noreferrer");
  }
  expect(links.filter(([, , host]) => host?.includes("evil.example"))).toEqual([]);

  // A direction that is turned stays turned inside its message: the clock stands where it stands in a decent one.
  const rows = ada.page.locator("article[data-seq]");
  const widths = await rows.evaluateAll((all) => all.map((row) => row.getBoundingClientRect().width));
  expect(new Set(widths).size).toBe(1);
  const overflow = await log.evaluate((box) => box.scrollWidth - box.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  // Stacked marks paint on no neighbour.
  const stacked = rows.filter({ hasText: "stacked" }).locator(".text");
  await log.evaluate((box) => {
    box.scrollTop = 0;
  });
  await log.hover();
  await expect(async () => {
    if ((await stacked.count()) === 0) await ada.page.mouse.wheel(0, 150);
    expect(await stacked.count()).toBe(1);
  }).toPass();
  expect(await stacked.evaluate((element) => getComputedStyle(element).overflowY)).toBe("clip");
  expect((await stacked.boundingBox())?.height).toBeLessThan(60);
  await stacked.scrollIntoViewIfNeeded();
  await ada.page.screenshot({ path: "out/hostile.png" });

  await ada.goTo(`/r/${room}`);
  await expect(ada.page.getByText("in a room with a hostile name").first()).toBeVisible();
  await expect(ada.page.locator(".room-head b, .room-head i, .rooms b, .rooms i")).toHaveCount(0);
  await expect(ada.page.locator(".room-head h2")).toContainText("<b onclick=alert(1)>");
  await ada.page.screenshot({ path: "out/hostile-room.png" });
  expect(await ada.page.evaluate(() => (globalThis as { pwned?: string }).pwned)).toBeUndefined();

  const response = await fetch(`${server.url}/r/lobby`);
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain("unsafe");
});
