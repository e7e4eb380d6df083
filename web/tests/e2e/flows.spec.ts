// What people come for, from end to end over the really crawled demo: by mouse, by keyboard alone.

import { expect } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { test } from "./heirloom";

interface Bom {
  bomFormat: string;
  components?: { name: string }[];
  metadata: { component: { name: string } };
}

test("search, model, the evidence of its edge, diff, bill of materials", async ({ page, heirloom }) => {
  const edge = heirloom.truth().edges.find(({ technique }) => technique === "lora-merged");
  const [child = "", parent = ""] = [edge?.child, edge?.parents[0]];
  const name = child.split("/")[1] ?? "";

  await page.goto("/");
  await page.getByRole("link", { name: "Search models" }).click();
  await page.getByRole("searchbox", { name: "Search models" }).fill(name);
  await page.getByRole("main").getByRole("link", { name: child, exact: true }).click();
  await expect(page.getByTestId("identity")).toContainText(parent);
  await expect(page.getByTestId("evidence").getByRole("row").nth(1)).toBeVisible();

  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "CycloneDX" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe(`${name}.cdx.json`);
  const bom = JSON.parse(await readFile(await download.path(), "utf8")) as Bom;
  expect(bom.bomFormat).toBe("CycloneDX");
  expect(JSON.stringify(bom)).toContain(parent);

  await page.getByRole("link", { name: "Compare the weights" }).click();
  await expect(page.getByTestId("totals")).toBeVisible({ timeout: 120_000 });
  await expect(page.getByTestId("outcome")).toContainText("Fine-tune");
});

test("the same by keyboard alone", async ({ page, heirloom }) => {
  const edge = heirloom.truth().edges.find(({ technique }) => technique === "lora-merged");
  const child = edge?.child ?? "";
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Recently changed" })).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type(child);
  await expect(page).toHaveURL(/search=/);
  const row = page.getByRole("main").getByRole("link", { name: child, exact: true });
  await expect(row).toBeVisible();
  await page.keyboard.press("ArrowDown");
  const focused = () => row.evaluate((element) => element === document.activeElement);
  for (let steps = 0; steps < 20 && !(await focused()); steps += 1) await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("evidence")).toBeVisible();

  const tabTo = async (name: string) => {
    const link = page.getByRole("main").getByRole("link", { name });
    for (let steps = 0; steps < 80; steps += 1) {
      if (await link.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`${name} cannot be reached with Tab`);
  };
  await tabTo("Compare the weights");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("totals")).toBeVisible({ timeout: 120_000 });
  await page.goBack();
  await expect(page.getByTestId("evidence")).toBeVisible();
  await tabTo("SPDX");
  const downloading = page.waitForEvent("download");
  await page.keyboard.press("Enter");
  expect((await downloading).suggestedFilename()).toMatch(/\.spdx\.json$/);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await expect(page).toHaveURL(/\/atlas/);
});

test("a family as a tree, with the evidence of an edge", async ({ page, heirloom }) => {
  const edge = heirloom.truth().edges.find(({ relation }) => relation === "quantized");
  const [child = "", parent = ""] = [edge?.child, edge?.parents[0]];
  await page.goto(`/atlas?family=hf:${child}`);
  await page.getByRole("button", { name: new RegExp(`^${child} ?,`) }).click();
  const choice = page.getByRole("complementary", { name: "Chosen model" });
  await expect(choice.getByTestId("parents")).toHaveText(parent);
  await expect(choice.getByTestId("evidence")).toBeVisible();
});
