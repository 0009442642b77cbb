// Calls between real browsers through a real server: fake devices, true media.
import { control, FAKE_DEVICES, isInCall, joinCall, seesAll, stage, tile } from "./calls.ts";
import { expect, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

test("two call each other, see each other, mute and leave", async ({ people }) => {
  const ada = await people("Ada");
  const ben = await people("Ben");
  await joinCall(ada);
  await expect(ben.page.getByTestId("call-bar")).toContainText("Call with Ada");
  await joinCall(ben);
  await isInCall(ada, 2);
  await isInCall(ben, 2);
  await Promise.all([seesAll(ada, 1), seesAll(ben, 1)]);
  const took = await ben.page.evaluate(() => performance.getEntriesByName("stoa.first-picture")[0]?.duration);
  console.log(`from pressing Join to the first picture: ${Math.round(took ?? -1)} ms`);

  await ben.page.locator("body").press("m");
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "true");
  await control(ben, "Unmute").click();
  await expect(tile(ada, "Ben")).toHaveAttribute("data-muted", "false");

  await control(ben, "Leave").click();
  await expect(stage(ben)).toContainText("You have left the call.");
  await expect(ada.page.getByTestId("tile")).toHaveCount(1);
});
