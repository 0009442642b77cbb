// What a page has to load. The figures are in docs/client.md.
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, test } from "vitest";

/** Bytes after gzip. More needs a reason, and a change of the documentation. */
const BUDGET = { default: 16 * 1024, react: 1.5 * 1024, check: 3.5 * 1024, call: 10 * 1024 };

test.each(["default", "react", "check", "call"] as const)(
  "the %s entry is small, one file, and loads nothing else",
  {
    timeout: 60_000,
  },
  async (mode) => {
    const root = new URL("..", import.meta.url).pathname;
    const made = await build({ root, mode, logLevel: "silent", build: { write: false } });
    const outputs = (Array.isArray(made) ? made : [made]).flatMap((each) => ("output" in each ? each.output : []));
    const [file, zipped] = outputs;
    expect(outputs.map(({ fileName }) => fileName)).toEqual([file?.fileName, `${file?.fileName}.gz`]);
    expect(zipped?.type).toBe("asset");
    if (file?.type !== "chunk") throw new Error("no script was made");
    expect(file.imports).toEqual(mode === "react" ? ["react"] : []);
    const size = gzipSync(file.code, { level: 9 }).length;
    console.log(`${file.fileName}: ${size} bytes after gzip`);
    expect(size).toBeLessThanOrEqual(BUDGET[mode]);
  },
);
