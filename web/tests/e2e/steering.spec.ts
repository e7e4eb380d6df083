// What people steer the service with. Runs after the other files: its last test closes the server to whoever has no key.

import { expect } from "@playwright/test";
import type { Schedule } from "../../src/api/types";
import { test } from "./heirloom";

test("a crawl is run again, and a schedule made, seen by REST, and removed", async ({ page, heirloom }) => {
  await page.goto("/crawls");
  await page
    .getByRole("button", { name: /^(Run again|Try the failures again)$/ })
    .first()
    .click();
  await expect(page.getByRole("button", { name: "Queued" }).first()).toBeVisible();

  await page.getByRole("button", { name: "New schedule" }).click();
  const dialog = page.getByRole("dialog", { name: "New schedule" });
  await dialog.getByLabel("Name", { exact: true }).fill("e2e");
  await dialog.getByRole("button", { name: "Every month" }).click();
  await expect(dialog.getByRole("listitem")).toHaveCount(4);
  await dialog.getByRole("button", { name: "Add schedule" }).click();
  await expect(page.getByRole("button", { name: "Remove e2e" })).toBeVisible();
  const { items } = await heirloom.rest<{ items: Schedule[] }>("/schedules");
  expect(items.map(({ name, cron }) => [name, cron])).toEqual([["e2e", "0 3 1 * *"]]);
  await page.getByRole("button", { name: "Remove e2e" }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByRole("button", { name: "Remove e2e" })).toHaveCount(0);
});

test("the first key is made, used by this browser, and closes the server", async ({ page, heirloom }) => {
  await page.goto("/settings");
  await page.getByLabel("Name").fill("root");
  await page.getByRole("button", { name: "Make a key" }).click();
  await expect(page.getByText("This browser uses it from now on")).toBeVisible();
  await expect(page.getByRole("row", { name: /^root/ })).toContainText("admin");
  const anonymous = await fetch(`${heirloom.origin}/api/v1/crawls/1/again`, { method: "POST" });
  expect(anonymous.status).toBe(401);
  await page.goto("/crawls");
  await page
    .getByRole("button", { name: /^(Run again|Try the failures again)$/ })
    .first()
    .click();
  await expect(page.getByRole("button", { name: "Queued" }).first()).toBeVisible();
});
