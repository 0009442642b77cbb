// Pictures of calls, to be looked at: out/call-*.png. Whoever updates docs/images/call.png takes it from here.
import { control, FAKE_DEVICES, isInCall, joinCall, makeRoom, seesAll } from "./calls.ts";
import { expect, type Person, test } from "./people.ts";
import config from "./playwright.config.ts";

const launch = config.use?.launchOptions;
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), ...FAKE_DEVICES] } });

interface Figure {
  room: [string, string];
  skin: string;
  hair: string;
  shirt: string;
  isLong: boolean;
}

const ADA: Figure = { room: ["#e9dcc9", "#c9ad8c"], skin: "#e8b48f", hair: "#4a2f22", shirt: "#2f6f6a", isLong: true };
const BEN: Figure = { room: ["#cfdcea", "#8fa8c4"], skin: "#8a5a3c", hair: "#1d1714", shirt: "#d9772f", isLong: false };
const CYD: Figure = { room: ["#d9e6d3", "#9dba92"], skin: "#f0c9a8", hair: "#b5622e", shirt: "#6d4aa8", isLong: true };

/** Draws somebody in a room where the fake camera would show a pattern, and a lesson as the shared screen. */
async function draw(who: Person, figure: Figure): Promise<void> {
  await who.page.addInitScript((figure: Figure) => {
    const canvasOf = (width: number, height: number, paint: (draw: CanvasRenderingContext2D, at: number) => void) => {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const context = canvas.getContext("2d") as CanvasRenderingContext2D;
      setInterval(() => paint(context, performance.now() / 1_000), 100);
      return canvas.captureStream(10);
    };
    const portrait = (draw: CanvasRenderingContext2D, at: number) => {
      const { room, skin, hair, shirt, isLong } = figure;
      const ground = draw.createLinearGradient(0, 0, 640, 360);
      ground.addColorStop(0, room[0]);
      ground.addColorStop(1, room[1]);
      draw.fillStyle = ground;
      draw.fillRect(0, 0, 640, 360);
      draw.fillStyle = "#ffffff40";
      draw.fillRect(430, 30, 150, 130);
      draw.fillStyle = "#00000018";
      for (const [index, width] of [26, 18, 22, 30, 16].entries()) draw.fillRect(40 + index * 32, 60, width, 92);
      draw.fillRect(28, 152, 190, 8);
      const sway = Math.sin(at) * 4;
      draw.save();
      draw.translate(320 + sway, 0);
      const round = (x: number, y: number, width: number, height: number, colour: string) => {
        draw.fillStyle = colour;
        draw.beginPath();
        draw.ellipse(x, y, width, height, 0, 0, 2 * Math.PI);
        draw.fill();
      };
      if (isLong) round(0, 190, 92, 118, hair);
      round(0, 400, 172, 138, shirt);
      draw.fillStyle = skin;
      draw.fillRect(-26, 226, 52, 56);
      round(0, 272, 38, 22, skin);
      round(0, 168, 66, 82, skin);
      draw.fillStyle = hair;
      draw.beginPath();
      draw.ellipse(0, 140, 74, 70, 0, Math.PI, 2 * Math.PI);
      draw.quadraticCurveTo(30, 106, -20, 112);
      draw.quadraticCurveTo(-66, 118, -74, 140);
      draw.fill();
      for (const side of [-24, 24]) round(side, 170, 5, at % 4 < 0.15 ? 1 : 6, "#2b1d16");
      draw.strokeStyle = "#7c3f30";
      draw.lineWidth = 4;
      draw.lineCap = "round";
      draw.beginPath();
      draw.arc(0, 196, 20, 0.2 * Math.PI, 0.8 * Math.PI);
      draw.stroke();
      draw.restore();
    };
    const lesson = (draw: CanvasRenderingContext2D, at: number) => {
      draw.fillStyle = "#fdfcf8";
      draw.fillRect(0, 0, 1280, 720);
      draw.fillStyle = "#1e2a3a";
      draw.font = "600 46px Inter, sans-serif";
      draw.fillText("Why eigenvectors keep their direction", 70, 104);
      draw.font = "30px Inter, sans-serif";
      draw.fillStyle = "#4a5568";
      for (const [index, line] of [
        "A v = λ v",
        "Stretched by λ, never turned",
        "Find λ first: det(A − λ I) = 0",
      ].entries()) {
        draw.fillText(line, 70, 190 + index * 58);
      }
      draw.translate(900, 430);
      draw.lineWidth = 2;
      draw.strokeStyle = "#cbd5e0";
      for (let step = -5; step <= 5; step += 1) {
        draw.beginPath();
        draw.moveTo(step * 50, -250);
        draw.lineTo(step * 50, 250);
        draw.moveTo(-250, step * 50);
        draw.lineTo(250, step * 50);
        draw.stroke();
      }
      const arrow = (x: number, y: number, colour: string) => {
        draw.strokeStyle = colour;
        draw.lineWidth = 7;
        draw.beginPath();
        draw.moveTo(0, 0);
        draw.lineTo(x, -y);
        draw.stroke();
      };
      const grown = 1.5 + 0.5 * Math.sin(at / 2);
      arrow(110 * grown, 55 * grown, "#2b6cb0");
      arrow(-60, 150, "#c05621");
      draw.setTransform(1, 0, 0, 1, 0, 0);
    };
    const devices = navigator.mediaDevices;
    const own = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      const stream = await own(wanted);
      const [pattern] = stream.getVideoTracks();
      if (!pattern) return stream;
      pattern.stop();
      return new MediaStream([...stream.getAudioTracks(), ...canvasOf(640, 360, portrait).getVideoTracks()]);
    };
    devices.getDisplayMedia = async () => canvasOf(1280, 720, lesson);
  }, figure);
  await who.page.reload();
  await who.isIn();
}

test("a lesson of three, at desktop and phone width, light and dark", async ({ people, server }) => {
  test.setTimeout(120_000);
  await makeRoom(server, "algebra", "Ada Lovelace", ["Ben Carter", "Cyd Okafor"]);
  const path = "/r/algebra";
  const ada = await people("Ada Lovelace", { path, viewport: { width: 1440, height: 900 } });
  const ben = await people("Ben Carter", { path, colorScheme: "dark" });
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
  const cyd = await people("Cyd Okafor", { path, ...phone });
  await draw(ada, ADA);
  await draw(ben, BEN);
  await draw(cyd, CYD);
  await ada.page.getByTestId("call-toggle").click();
  await expect(ada.page.getByTestId("call-stage").locator("video")).toBeVisible();
  await expect(ada.page.getByTestId("level")).toHaveJSProperty("max", 1);
  await ada.page.screenshot({ path: "out/call-before.png" });
  await joinCall(ada);
  await joinCall(ben);
  await expect(cyd.page.getByTestId("call-bar")).toBeVisible();
  await cyd.page.screenshot({ path: "out/call-bar-phone.png" });
  await joinCall(cyd);
  for (const each of [ada, ben, cyd]) await isInCall(each, 3);
  await Promise.all([ada, ben, cyd].map((each) => seesAll(each, 2)));
  await ben.page.screenshot({ path: "out/call-grid-dark.png" });
  await cyd.page.screenshot({ path: "out/call-phone.png" });

  await ben.say("Could you show the picture from last week again?");
  await ada.say("Of course: here it is. Watch what the blue arrow does.");
  await control(cyd, "Raise hand").tap();
  await control(ben, "Share your screen").click();
  const screen = ada.page.getByTestId("screen").locator("video");
  await expect.poll(() => screen.evaluate((video: HTMLVideoElement) => video.videoWidth)).toBeGreaterThan(0);
  await expect(ada.page.locator(".tile-hand")).toHaveText("1");
  for (const each of [ada, cyd]) {
    const toast = each.page.locator(".toast").getByRole("button", { name: "Close" }).first();
    while (await toast.isVisible()) await toast.click();
  }
  await ada.page.screenshot({ path: "out/call-share.png" });
  await cyd.page.screenshot({ path: "out/call-share-phone.png" });
  await control(ben, "Stop sharing").click();
  await control(ada, "People in the call").click();
  await ada.page.screenshot({ path: "out/call-people.png" });
  await ben.page.getByTestId("board-toggle").click();
  await expect(ben.page.getByTestId("call-dock")).toBeVisible();
  await ben.page.screenshot({ path: "out/call-beside-board.png" });
});
