// A room of 10,000 messages and 500 people: opened, scrolled to its beginning and back. What it costs is printed; it
// depends on the machine, so only what does not is asserted.
import { expect, test } from "./people.ts";
import { type Said, Seed, WIDE } from "./seed.ts";

const MESSAGES = 10_000;
const PEOPLE = 500;

test.use({ env: { ...WIDE, STOA_LIMITS_HISTORY_PER_S: "1000" } });

const WORDS =
  "the of and to in is that it was for on are with as his they at be this from have or by one had not but".split(" ");

/** Words that look like talk: short and long ones, marks, links, lists. The same at every run. */
function talk(index: number): Said {
  const words = Array.from({ length: 4 + ((index * 7) % 23) }, (_, at) => WORDS[(index * 13 + at * 5) % WORDS.length]);
  const text = `${index}: ${words.join(" ")}`;
  const from = `p${(index * 31) % PEOPLE}`;
  if (index % 29 === 0) return { from, text: `${text}\n\n- one\n- two\n- **three**` };
  if (index % 17 === 0) return { from, text: `${text} https://example.org/${index} and \`code\`` };
  if (index % 41 === 0) return { from, text: `${text}\n\`\`\`\nlet x = ${index};\nprint(x)\n\`\`\`` };
  return { from: index % 3 === 0 ? from : `p${(Math.floor(index / 3) * 31) % PEOPLE}`, text };
}

test("ten thousand messages and five hundred people", async ({ people, server }) => {
  test.setTimeout(600_000);
  const seed = new Seed(server);
  const began = Date.now();
  const names = Object.fromEntries(Array.from({ length: PEOPLE }, (_, index) => [`p${index}`, `Person ${index}`]));
  await seed.people(names);
  const ada = await people("Ada");
  const me = await ada.page.evaluate(() => JSON.parse(sessionStorage.getItem("stoa.login") ?? "{}").user as string);
  await seed.room("big", "Big", [...Object.keys(names), me]);
  await seed.sayAll(
    "big",
    Array.from({ length: MESSAGES }, (_, index) => talk(index)),
  );
  const seeded = Date.now() - began;

  const cdp = await ada.page.context().newCDPSession(ada.page);
  await cdp.send("Performance.enable");
  const measure = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await cdp.send("Performance.getMetrics");
    const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
    const nodes = await ada.page.evaluate(() => document.querySelectorAll("*").length);
    return { heapMB: +(of("JSHeapUsedSize") / 1e6).toFixed(1), elements: nodes };
  };

  const opening = Date.now();
  await ada.goTo("/r/big");
  await expect(ada.messages.last()).toBeVisible();
  const opened = Date.now() - opening;
  const atOpen = await measure();

  /** Scrolls by the screenful until the end is reached, and tells how long frames took. */
  const scroll = (direction: -1 | 1) =>
    ada.timeline.evaluate(async (box, direction) => {
      const tasks: number[] = [];
      const watch = new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) tasks.push(entry.duration);
      });
      watch.observe({ type: "longtask" });
      const frames: number[] = [];
      let before = performance.now();
      let still = 0;
      while (still < 60) {
        const top = box.scrollTop;
        box.scrollTop += direction * box.clientHeight * 0.6;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        frames.push(now - before);
        before = now;
        still = Math.abs(box.scrollTop - top) < 1 ? still + 1 : 0;
      }
      watch.disconnect();
      frames.sort((a, b) => a - b);
      const at = (share: number) => Math.round((frames[Math.floor(frames.length * share)] ?? 0) * 10) / 10;
      return {
        frames: frames.length,
        p50ms: at(0.5),
        p95ms: at(0.95),
        p99ms: at(0.99),
        maxMs: Math.round(frames.at(-1) ?? 0),
        over50ms: frames.filter((each) => each > 50).length,
        longTasks: tasks.length,
        longestTaskMs: Math.round(Math.max(0, ...tasks)),
      };
    }, direction);

  const up = await scroll(-1);
  await expect(ada.page.getByText("This is the beginning of Big")).toBeVisible();
  const atTop = await measure();
  const down = await scroll(1);
  await expect(ada.page.getByRole("button", { name: "Newest messages" })).toHaveCount(0);
  const atEnd = await measure();
  console.log(JSON.stringify({ seededMs: seeded, openedMs: opened, atOpen, up, atTop, down, atEnd }, null, 1));

  // All of it was loaded, and only what is near the view is in the page.
  expect(atTop.elements).toBeLessThan(6_000);
  expect(atEnd.elements).toBeLessThan(6_000);
});
