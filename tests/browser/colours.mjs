// Makes tests/peer/media/colours.ivf: eight key frames of VP8, a box on changing colours, by the browser's own encoder.
//
//     node tests/browser/colours.mjs
import { writeFile } from "node:fs/promises";
import { chromium } from "@playwright/test";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu"],
});
const page = await browser.newPage();
// WebCodecs are for secure contexts.
await page.route("https://colours.test/", (route) => route.fulfill({ contentType: "text/html", body: "" }));
await page.goto("https://colours.test/");
const frames = await page.evaluate(async () => {
  const [width, height] = [160, 120];
  const chunks = [];
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      chunks.push([...bytes]);
    },
    error: (error) => {
      throw error;
    },
  });
  encoder.configure({ codec: "vp8", width, height, bitrate: 100_000, framerate: 8 });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  for (let n = 0; n < 8; n++) {
    context.fillStyle = `hsl(${n * 45} 60% 50%)`;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "white";
    context.fillRect(n * 16, 40, 32, 32);
    const frame = new VideoFrame(canvas, { timestamp: n * 125_000 });
    encoder.encode(frame, { keyFrame: true });
    frame.close();
  }
  await encoder.flush();
  return chunks;
});
await browser.close();

// IVF: a header of 32 bytes, then each frame behind its length and time.
const header = Buffer.alloc(32);
header.write("DKIF", 0);
header.writeUInt16LE(32, 6);
header.write("VP80", 8);
header.writeUInt16LE(160, 12);
header.writeUInt16LE(120, 14);
header.writeUInt32LE(8, 16);
header.writeUInt32LE(1, 20);
header.writeUInt32LE(frames.length, 24);
const parts = frames.map((bytes, n) => {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(bytes.length, 0);
  head.writeBigUInt64LE(BigInt(n), 4);
  return Buffer.concat([head, Buffer.from(bytes)]);
});
await writeFile(new URL("../peer/media/colours.ivf", import.meta.url), Buffer.concat([header, ...parts]));
console.log(`${frames.length} frames, ${frames.map((bytes) => bytes.length).join(" ")} bytes`);
