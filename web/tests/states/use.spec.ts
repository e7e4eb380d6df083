// Using the pages: keyboard, addresses, copying, and a card that tries something.

import { expect, test } from "@playwright/test";
import { readFile } from "node:fs/promises";

test("from anywhere to a model's evidence and a diff, by keyboard alone", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByText("Recently changed")).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox")).toBeFocused();
  await page.keyboard.type("legal");
  await expect(page).toHaveURL(/search=legal/);
  await expect(page.getByText("2 models")).toBeVisible();
  const found = page.getByRole("main").locator("[data-row]");
  await page.keyboard.press("ArrowDown");
  await expect(found.nth(0)).toBeFocused();
  await page.keyboard.press("j");
  await expect(found.nth(1)).toBeFocused();
  await page.keyboard.press("k");
  await expect(page.getByRole("link", { name: "riverlab/oak-1b-legal", exact: true })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("evidence")).toBeVisible();
  await page.getByRole("link", { name: "Compare the weights" }).press("Enter");
  await expect(page.getByTestId("totals")).toBeVisible({ timeout: 20_000 });
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page).toHaveURL("/crawls");
});

test("the help opens on ?, and Escape closes it", async ({ page }) => {
  await page.goto("/models");
  await expect(page.getByText("75 models")).toBeVisible();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("a view is its address: shared, gone back to, reloaded", async ({ page }) => {
  await page.goto("/models?relation=quantized");
  await expect(page.getByText("2 models")).toBeVisible();
  await page.getByRole("link", { name: "riverlab/oak-1b-legal-gptq" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("riverlab/oak-1b-legal-gptq");
  await page.goBack();
  await expect(page).toHaveURL(/relation=quantized/);
  await expect(page.getByText("2 models")).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Relation")).toHaveValue("quantized");
});

test("more models come on demand", async ({ page }) => {
  await page.goto("/models");
  await expect(page.locator("tbody tr")).toHaveCount(50);
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(75);
  await expect(page.getByRole("button", { name: "Show more" })).toHaveCount(0);
});

test("a reference is copied whole", async ({ page }) => {
  await page.goto("/models/hf/riverlab/oak-1b-legal");
  await page.getByRole("button", { name: "Copy the reference" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("hf:riverlab/oak-1b-legal");
});

test("a chosen theme stays", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: /^Theme/ }).click();
  await page.getByRole("button", { name: /^Theme/ }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("a card is text: no script, no image, no link that runs", async ({ page }) => {
  const calls: string[] = [];
  page.on("request", (request) => calls.push(new URL(request.url()).host));
  await page.goto("/models/hf/riverlab/oak-1b-legal/card");
  const card = page.getByRole("region", { name: "Model card" });
  await expect(card.getByText("contract review")).toBeVisible();
  await expect(card.locator("script, img, [href^=javascript]")).toHaveCount(0);
  await expect(card.getByRole("link", { name: "LoRA" })).toHaveAttribute("rel", /noopener/);
  expect(new Set(calls).size).toBe(1);
});

test("a diff shows its progress, then sorts and filters its tensors", async ({ page }) => {
  await page.goto("/diff");
  await page.getByRole("combobox", { name: "Before", exact: true }).fill("oak-sparse");
  await page.getByRole("option", { name: "hf:tidepool/oak-sparse-50" }).click();
  await page.getByRole("combobox", { name: "After", exact: true }).fill("hf:tidepool/oak-2-of-4");
  await page.getByRole("button", { name: "Compare" }).click();
  await expect(page.getByRole("progressbar", { name: "Bytes compared" })).toBeVisible();
  const table = page.getByTestId("tensor-diffs");
  await expect(table).toBeVisible({ timeout: 20_000 });
  await expect(table.getByRole("rowheader").first()).toHaveText("model.layers.7.mlp.down_proj.weight");
  await table.getByRole("button", { name: "Tensor" }).click();
  await expect(table.getByRole("rowheader").first()).toHaveText("lm_head.weight");
  await page.getByRole("searchbox", { name: "Filter tensors" }).fill("layers.5.self");
  await expect(table.getByRole("rowheader")).toHaveCount(4);
});

test("the first page stays light", async ({ page }) => {
  let bytes = 0;
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto("/");
  await expect(page.getByText("Recently changed")).toBeVisible();
  await page.waitForLoadState("networkidle");
  // Sent without compression here; the binary compresses.
  expect(bytes).toBeLessThan(300_000);

  const shift = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let total = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries())
            total += (entry as PerformanceEntry & { value: number }).value;
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve(total), 200);
      }),
  );
  expect(shift).toBeLessThan(0.1);
});

test("columns are chosen, and the choice is in the address", async ({ page }) => {
  await page.goto("/models");
  await page.getByText("Columns", { exact: true }).click();
  await page.getByRole("checkbox", { name: "Likes" }).check();
  await page.getByRole("checkbox", { name: "Licence" }).uncheck();
  await expect(page.getByRole("columnheader", { name: "Likes" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("columnheader", { name: "Likes" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Licence" })).toHaveCount(0);
});

test("what is shown can be had as CSV", async ({ page }) => {
  await page.goto("/models?relation=quantized");
  await expect(page.getByText("2 models")).toBeVisible();
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("models.csv");
  const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\r\n");
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^hf:riverlab\/oak-1b-legal-gptq,/);
});

test("the atlas filters, and its time slider hides what came later", async ({ page }) => {
  await page.goto("/atlas");
  await expect(page.getByText("75 models")).toBeVisible();
  await page.getByLabel("Verdict on the declared base").selectOption("contradicted");
  await expect(page.getByText("1 of 75 models")).toBeVisible();
  await page.getByLabel("Verdict on the declared base").selectOption("");
  await page.getByRole("slider").press("Home");
  await expect(page.getByText("1 of 75 models")).toBeVisible();
  await page.getByRole("slider").press("End");
  await expect(page.getByText("75 models", { exact: true })).toBeVisible();
});
