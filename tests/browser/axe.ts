// What axe finds. See https://www.deque.com/axe/: `serious` and `critical` keep people out.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

export async function isAccessible(page: Page, what: string, except: string[] = []): Promise<void> {
  // What fades in has not its colours yet.
  await page.evaluate(() => {
    // What turns for ever has no end to wait for.
    const ends = ({ effect }: Animation) => effect?.getComputedTiming().iterations !== Number.POSITIVE_INFINITY;
    return Promise.allSettled(
      document
        .getAnimations()
        .filter(ends)
        .map((animation) => animation.finished),
    );
  });
  const builder = new AxeBuilder({ page });
  for (const part of except) builder.exclude(part);
  const { violations } = await builder.analyze();
  const found = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("; ")}`,
    );
  expect(found, what).toEqual([]);
}
