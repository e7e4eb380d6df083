// Each page over the really crawled demo, under the binary's own security policy: accessible, and without a complaint.

import { expect } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expectAccessible } from "../axe";
import { expectStill, watchShifts } from "../shifts";
import { test } from "./heirloom";

/** Set to docs/screenshots to write the pictures that the README shows. */
const pictures = process.env.SCREENSHOTS;

test("every page", async ({ page, heirloom }) => {
  const { edges } = heirloom.truth();
  const child = edges.find(({ technique }) => technique === "lora-merged") ?? edges[0];
  const model = `/models/hf/${child?.child}`;
  const silent = heirloom.truth().bumps.find((bump) => bump.silent);
  const diff = `/diff?${new URLSearchParams({ a: `hf:${child?.parents[0]}`, b: `hf:${child?.child}` })}`;
  const pages: [name: string, path: string, ready: string][] = [
    ["overview", "/", "Recently changed"],
    ["models", "/models", "Derivation"],
    ["model", model, "Made from"],
    ["versions", `/models/hf/${silent?.package}/versions`, "Versions"],
    ["family", `${model}/family`, "Generation 1"],
    ["tensors", `${model}/tensors`, "Held by"],
    ["card", `${model}/card`, "Model card"],
    ["diff", diff, "What it looks like"],
    ["atlas", "/atlas", "No parent"],
    ["tree", `/atlas?family=hf:${child?.parents[0]}`, "As a list"],
    ["study", "/study", "Beside the published study"],
    ["crawls", "/crawls", "Packages"],
    ["settings", "/settings", "No keys"],
  ];
  const complaints: string[] = [];
  page.on("console", (message) => {
    // Said by the software that stands in for a graphics card, and on a machine too busy to draw text at once.
    if (/GL Driver Message|was preloaded using link preload/.test(message.text())) return;
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));

  for (const [name, path, ready] of pages) {
    await page.goto(path);
    await expect(page.getByText(ready).first()).toBeAttached({ timeout: 120_000 });
    await page.waitForLoadState("networkidle");
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      await expectAccessible(page);
      if (!pictures) continue;
      mkdirSync(pictures, { recursive: true });
      // A map is drawn anew in the colours of the other theme.
      await page.waitForTimeout(500);
      const file = colorScheme === "light" ? `${name}.png` : `${name}-dark.png`;
      await page.screenshot({ path: join(pictures, file) });
    }
  }
  expect(complaints).toEqual([]);
});

test("the binary sends the policy that the pages keep", async ({ request }) => {
  const response = await request.get("/models");
  const policy = response.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain("unsafe");
});

test("the first page is light as the binary sends it, and nothing on it jumps", async ({
  page,
  heirloom,
}) => {
  await watchShifts(page);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let [bytes, requests] = [0, 0];
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    requests += 1;
  });
  await page.goto(heirloom.origin);
  await expect(page.getByText("Recently changed")).toBeVisible();
  await page.waitForLoadState("networkidle");
  expect(bytes).toBeLessThan(300_000);
  expect(requests).toBeLessThanOrEqual(12);
  await expectStill(page);
  console.log(`first page: ${bytes} bytes in ${requests} requests`);
});
