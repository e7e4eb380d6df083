// Every page, in both themes and at phone width: it fits, breaks no rule of accessibility, and logs nothing.

import { expect, test } from "@playwright/test";
import { expectAccessible } from "../axe";
import { expectStill, watchShifts } from "../shifts";

const MODEL = "/models/hf/riverlab/oak-1b-legal";
const pages: Record<string, { path: string; ready: string }> = {
  overview: { path: "/", ready: "Recently changed" },
  models: { path: "/models", ready: "oak-1b-legal-gptq" },
  "models found": { path: "/models?search=oak&relation=quantized", ready: "2 models" },
  "models, all columns": {
    path: "/models?columns=derivation,verdict,version,parameters,licence,downloads,likes,task,changed",
    ready: "75 models",
  },
  model: { path: MODEL, ready: "relative_delta_norm" },
  "model with findings": { path: "/models/hf/tidepool/oak-medical", ready: "posix.system" },
  versions: { path: `${MODEL}/versions`, ready: "Initial commit" },
  family: { path: `${MODEL}/family`, ready: "73 models" },
  tensors: { path: `${MODEL}/tensors`, ready: "model.embed_tokens.weight" },
  card: { path: `${MODEL}/card`, ready: "contract review" },
  "unread model": {
    path: "/models/hf/northfield/birch-1b-truncated",
    ready: "The weights could not be read",
  },
  diff: { path: "/diff", ready: "Choose two sets of weights" },
  "finished diff": {
    path: "/diff?a=hf:meadow/oak-1b-instruct&b=hf:riverlab/oak-1b-legal",
    ready: "Where it changed",
  },
  atlas: { path: "/atlas", ready: "75 models" },
  "atlas with a choice": { path: "/atlas?model=hf:riverlab/oak-1b-legal", ready: "relative_delta_norm" },
  "family tree": { path: "/atlas?family=hf:riverlab/oak-1b-legal", ready: "47 more children" },
  "family tree with a choice": {
    path: "/atlas?family=hf:riverlab/oak-1b-legal&model=hf:tidepool/oak-soup",
    ready: "relative_delta_norm",
  },
  study: { path: "/study", ready: "Beside the published study" },
  "release line": { path: "/models/hf/meadow/oak-1b/versions", ready: "Release line" },
  crawls: { path: "/crawls", ready: "no failures" },
  settings: { path: "/settings", ready: "old-laptop" },
  missing: { path: "/nowhere", ready: "There is no page at this address" },
};
const looks = [
  { name: "light", colorScheme: "light", viewport: { width: 1440, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1440, height: 900 } },
  { name: "phone", colorScheme: "light", viewport: { width: 360, height: 780 } },
] as const;

for (const { name: look, ...use } of looks) {
  test.describe(look, () => {
    test.use(use);
    for (const [name, { path, ready }] of Object.entries(pages)) {
      test(name, async ({ page }) => {
        const complaints: string[] = [];
        page.on("console", (message) => {
          // Said by the software that stands in for a graphics card, and on a machine too busy to draw text at once.
          if (/GL Driver Message|was preloaded using link preload/.test(message.text())) return;
          if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
        });
        page.on("pageerror", (error) => complaints.push(error.message));

        await watchShifts(page);
        await page.goto(path);
        await expect(page.getByText(ready).first()).toBeVisible({ timeout: 20_000 });
        await expect(page).toHaveTitle(/Heirloom$/);

        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, "pixels wider than the window").toBeLessThanOrEqual(0);
        await expectStill(page);
        await expectAccessible(page);
        expect(complaints).toEqual([]);
      });
    }
  });
}
