// How long it takes from the press of Join to the first picture, beside two bare connections in one page. It prints; it
// asserts no times.
import type { Page } from "@playwright/test";
import { control, FAKE_DEVICES, isInCall, joinCall } from "./calls.ts";
import { expect, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

const RUNS = 5;

/** Two connections that hand each other everything at once, no server between them. */
const bare = (page: Page, runs: number) =>
  page.evaluate(async (runs) => {
    const took: number[] = [];
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
    for (let run = 0; run < runs; run += 1) {
      const begin = performance.now();
      const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
      near.onicecandidate = ({ candidate }) => void (candidate && far.addIceCandidate(candidate));
      far.onicecandidate = ({ candidate }) => void (candidate && near.addIceCandidate(candidate));
      const video = Object.assign(document.createElement("video"), { muted: true });
      document.body.append(video);
      const first = new Promise<number>((resolve) => {
        video.requestVideoFrameCallback(() => resolve(performance.now() - begin));
      });
      far.ontrack = ({ track }) => {
        if (track.kind !== "video") return;
        video.srcObject = new MediaStream([track]);
        void video.play();
      };
      for (const track of media.getTracks()) near.addTrack(track, media);
      await near.setLocalDescription();
      await far.setRemoteDescription(near.localDescription as RTCSessionDescription);
      await far.setLocalDescription();
      await near.setRemoteDescription(far.localDescription as RTCSessionDescription);
      took.push(await first);
      near.close();
      far.close();
      video.remove();
    }
    for (const track of media.getTracks()) track.stop();
    return took;
  }, runs);

test("the time from pressing Join to the first picture", async ({ people }) => {
  test.setTimeout(120_000);
  const ada = await people("Ada");
  const ben = await people("Ben");
  await joinCall(ada);
  const times = () =>
    ben.page.evaluate(() => performance.getEntriesByName("stoa.first-picture").map(({ duration }) => duration));
  for (let run = 1; run <= RUNS; run += 1) {
    await joinCall(ben);
    await isInCall(ben, 2);
    await expect.poll(async () => (await times()).length).toBe(run);
    await control(ben, "Leave").click();
    await ben.page.getByRole("button", { name: "Join again" }).click();
  }
  const inOrder = (all: number[]) => all.sort((a, b) => a - b).map((time) => Math.round(time));
  console.log(`pressing Join to the first picture, ms: ${inOrder(await times()).join(", ")}`);
  console.log(`two bare connections in one page, ms: ${inOrder(await bare(ben.page, RUNS)).join(", ")}`);
});
