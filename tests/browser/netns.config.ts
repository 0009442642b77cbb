// What runs beside tests/netns/run.sh: browsers in networks of their own, which the tests launch themselves.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: "*.netns.ts",
  outputDir: "out/traces-netns",
  fullyParallel: false,
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
});
