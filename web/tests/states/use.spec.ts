// Using the pages: keyboard, addresses, copying, and a card that tries something.

import { expect, test } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

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
  await expect(page.getByRole("link", { name: /^Quantized/ })).toHaveAttribute("aria-current", "true");
});

test("a long list is read and drawn as one scrolls", async ({ page }) => {
  await page.goto("/models");
  await expect(page.getByText("75 models")).toBeVisible();
  const rows = page.locator("tbody tr[data-index]");
  expect(await rows.count()).toBeLessThan(50);
  await expect(async () => {
    await page.mouse.wheel(0, 4000);
    await expect(page.locator('tbody tr[data-index="74"]')).toBeVisible({ timeout: 500 });
  }).toPass();
  await expect(page.locator('tbody tr[data-index="0"]')).toHaveCount(0);
  expect(await rows.count()).toBeLessThan(50);
});

test("facets narrow the list, and their address can be shared", async ({ page }) => {
  await page.goto("/models");
  const filters = page.getByRole("navigation", { name: "Filters" });
  await filters.getByRole("link", { name: /^Undeclared/ }).click();
  await expect(page).toHaveURL(/verdict=undeclared/);
  await expect(page.getByText("14 models")).toBeVisible();
  await filters.getByRole("link", { name: /^Fine-tune/ }).click();
  await expect(page.getByText("12 models")).toBeVisible();
  await page.reload();
  await expect(page.getByText("12 models")).toBeVisible();
  await filters.getByRole("link", { name: /^Undeclared/ }).click();
  await expect(page.getByText("63 models")).toBeVisible();
  await filters.getByRole("checkbox", { name: "With silent changes" }).check();
  await expect(page).toHaveURL(/silent=true/);
});

test("a schedule is made with a preview, paused and removed", async ({ page }) => {
  await page.goto("/crawls");
  await page.getByRole("button", { name: "New schedule" }).click();
  const dialog = page.getByRole("dialog", { name: "New schedule" });
  await dialog.getByLabel("Name", { exact: true }).fill("weekly");
  await dialog.getByRole("button", { name: "Every Monday" }).click();
  await expect(dialog.getByRole("listitem")).toHaveCount(4);
  await dialog.getByLabel("When").fill("daily");
  await expect(dialog.getByText("not a cron pattern")).toBeVisible();
  await dialog.getByLabel("When").fill("0 4 * * 1");
  await dialog.getByRole("button", { name: "Add schedule" }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole("button", { name: "Pause weekly" }).click();
  await page.getByRole("button", { name: "Resume weekly" }).click();
  await page.getByRole("button", { name: "Remove weekly" }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByText("weekly", { exact: true })).toHaveCount(0);
});

test("a job that was given up is tried again, with its reason shown before", async ({ page }) => {
  await page.goto("/crawls");
  const queue = page.getByRole("region", { name: "Queue" });
  await expect(queue.getByText("the hub does not answer")).toBeVisible();
  await queue.getByRole("button", { name: "Retry" }).click();
  await expect(queue.getByText("waiting")).toBeVisible();
  await page.getByRole("button", { name: "Try the failures again" }).click();
  await expect(page.getByRole("button", { name: "Queued" })).toBeVisible();
});

test("a key is shown once, used, and revoked", async ({ page }) => {
  await page.goto("/settings");
  await page.getByLabel("Name").fill("ci");
  await page.getByRole("button", { name: "Make a key" }).click();
  await expect(page.getByText("it is not shown again")).toBeVisible();
  await page.getByRole("button", { name: "Copy the key" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^hl_/);
  await page.getByRole("button", { name: "Done" }).click();
  await expect(page.getByText("it is not shown again")).toHaveCount(0);
  await page.getByRole("button", { name: "Revoke ci" }).click();
  await page.getByRole("button", { name: "Revoke for good" }).click();
  await expect(page.getByRole("row", { name: /^ci/ })).toContainText("revoked");
});

test("a watch is added from a model's page, and removed", async ({ page }) => {
  await page.goto("/models/hf/riverlab/oak-1b-legal");
  await page.getByRole("link", { name: "Be told of its changes" }).click();
  await expect(page.getByLabel("Watch", { exact: true })).toHaveValue("hf:riverlab/oak-1b-legal");
  await page.getByLabel("Address").fill("https://ci.example.org/changes");
  await page.getByLabel("silent changes").check();
  await page.getByLabel("its whole family too").check();
  await page.getByRole("button", { name: "Add the watch" }).click();
  await expect(page.getByText("It is not shown again")).toBeVisible();
  const watch = page.getByRole("listitem").filter({ hasText: "oak-1b-legal and its family" });
  await expect(watch).toContainText("silent changes");
  await watch.getByRole("button", { name: /^Remove/ }).click();
  await watch.getByRole("button", { name: "Remove for good" }).click();
  await expect(watch).toHaveCount(0);
});

test("licences are followed up the lineage, and a bill of materials is a download", async ({ page }) => {
  await page.goto("/models/hf/riverlab/oak-1b-legal");
  const licences = page.getByRole("region", { name: "Licences up the lineage" });
  await expect(licences.getByText("1 conflict")).toBeVisible();
  await expect(licences.getByText("CC-BY-NC-4.0 asks that there is no commercial use")).toBeVisible();
  await expect(page.getByRole("link", { name: "CycloneDX" })).toHaveAttribute(
    "href",
    "/api/v1/models/hf/riverlab/oak-1b-legal/bom?format=cyclonedx",
  );
});

test("what a weight file would run is said before anything else", async ({ page }) => {
  await page.goto("/models/hf/tidepool/oak-medical");
  const findings = page.getByRole("region", { name: "Security findings" });
  await expect(findings.getByText("posix.system")).toBeVisible();
  await expect(findings.getByText("do not load this file")).toBeVisible();
  await page.goto("/models/hf/riverlab/oak-1b-legal");
  await expect(page.getByText("nothing in the files runs code")).toBeVisible();
});

test("a page prints without what only a screen needs", async ({ page }) => {
  await page.goto("/models/hf/riverlab/oak-1b-legal");
  await expect(page.getByTestId("evidence")).toBeVisible();
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await expect(page.getByRole("banner")).toBeHidden();
  await expect(page.getByTestId("evidence")).toBeVisible();
  const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(paper).toBe("rgb(255, 255, 255)");
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
  let [bytes, requests] = [0, 0];
  page.on("response", async (response) => {
    requests += 1;
    const body = await response.body().catch(() => Buffer.alloc(0));
    // Sent without compression here; the binary compresses what is not compressed yet.
    bytes += response.url().endsWith(".woff2") ? body.length : gzipSync(body).length;
  });
  await page.goto("/");
  await expect(page.getByText("Recently changed")).toBeVisible();
  await page.waitForLoadState("networkidle");
  expect(bytes).toBeLessThan(300_000);
  expect(bytes).toBeGreaterThan(50_000);
  expect(requests).toBeLessThanOrEqual(12);
});

test("columns are chosen, and the choice is in the address", async ({ page }) => {
  await page.goto("/models");
  await page.getByText("Columns", { exact: true }).click();
  await page.getByRole("checkbox", { name: "Likes" }).check();
  await page.getByRole("checkbox", { name: "Version" }).uncheck();
  await expect(page.getByRole("columnheader", { name: "Likes" })).toBeVisible();
  await expect(page).toHaveURL(/columns=/);
  // The choice is this browser's from now on, and an address that says otherwise comes first.
  await page.goto("/models");
  await expect(page.getByRole("columnheader", { name: "Likes" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Version" })).toHaveCount(0);
  await page.goto("/models?columns=version");
  await expect(page.getByRole("columnheader", { name: "Version" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Likes" })).toHaveCount(0);
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
