// Every page in its rarer states: empty, loading, failing, offline, dark, narrow. Answers come from fixtures.

import { defineConfig } from "@playwright/test";
import { browser } from "./tests/browser";

const PORT = 4179;

export default defineConfig({
  testDir: "tests/states",
  outputDir: "test-results/states",
  // 100,000 models on a machine without a graphics card take minutes: `npm run large`.
  testIgnore: process.env.LARGE ? [] : ["large.spec.ts"],
  fullyParallel: true,
  // Axe reads every element, and a busy machine reads slowly.
  timeout: 90_000,
  workers: 2,
  reporter: [["list"]],
  use: { ...browser, baseURL: `http://127.0.0.1:${PORT}`, trace: "retain-on-failure" },
  webServer: {
    command: `node node_modules/vite/bin/vite.js preview --mode mock --host 127.0.0.1 --strictPort --port ${PORT}`,
    url: `http://127.0.0.1:${PORT}/`,
    reuseExistingServer: false,
  },
});
