// Each page over the really crawled demo, under the binary's own security policy: accessible, and without a complaint.

import { expect } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expectAccessible } from "../axe";
import { test } from "./heirloom";

/** Set to docs/screenshots to write the pictures that the README shows. */
const pictures = process.env.SCREENSHOTS;

test("every page", async ({ page, heirloom }) => {
  const { edges } = heirloom.truth();
  const child = edges.find(({ technique }) => technique === "lora-merged") ?? edges[0];
  const model = `/models/hf/${child?.child}`;
  const diff = `/diff?${new URLSearchParams({ a: `hf:${child?.parents[0]}`, b: `hf:${child?.child}` })}`;
  const pages: [name: string, path: string, ready: string][] = [
    ["overview", "/", "Recently changed"],
    ["models", "/models", "Derivation"],
    ["model", model, "Made from"],
    ["versions", `${model}/versions`, "Versions"],
    ["family", `${model}/family`, "Generation 1"],
    ["tensors", `${model}/tensors`, "Held by"],
    ["card", `${model}/card`, "Model card"],
    ["diff", diff, "What it looks like"],
    ["atlas", "/atlas", "Whole map"],
    ["crawls", "/crawls", "Packages"],
  ];
  const complaints: string[] = [];
  page.on("console", (message) => {
    // Said by the software that stands in for a graphics card.
    if (message.text().includes("GL Driver Message")) return;
    if (message.type() === "error" || message.type() === "warning")
      complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));

  for (const [name, path, ready] of pages) {
    await page.goto(path);
    await expect(page.getByText(ready).first()).toBeAttached({ timeout: 120_000 });
    await page.waitForLoadState("networkidle");
    await expectAccessible(page);
    if (pictures) {
      mkdirSync(pictures, { recursive: true });
      await page.screenshot({ path: join(pictures, `${name}.png`) });
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
