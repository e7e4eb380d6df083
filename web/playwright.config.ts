// The tests of record: a real browser on the real binary over a really crawled demo hub.

import { defineConfig } from "@playwright/test";
import { browser } from "./tests/browser";

export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results/e2e",
  // One server with one database serves all tests of the run.
  workers: 1,
  timeout: 240_000,
  reporter: [["list"]],
  // An element that never comes fails its step, not the whole test's time.
  use: { ...browser, actionTimeout: 20_000, trace: "retain-on-failure" },
});
