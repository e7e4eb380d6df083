// What a page says when there is nothing, when the server fails, and when it is away.

import { expect, test, type Page } from "@playwright/test";
import { expectAccessible } from "../axe";

const API = /\/api\/v1\//;
const MODEL = "/models/hf/riverlab/oak-1b-legal";
const pages = [
  "/",
  "/models",
  MODEL,
  `${MODEL}/versions`,
  `${MODEL}/family`,
  `${MODEL}/tensors`,
  "/atlas",
  "/atlas?family=hf:riverlab/oak-1b-legal",
  "/crawls",
  "/settings",
];

const problem = {
  type: "about:blank",
  title: "The database is away",
  status: 503,
  detail: "start Postgres, then reload",
};

async function failing(page: Page, only: RegExp = API): Promise<void> {
  await page.route(only, (route) =>
    route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }),
  );
}

for (const path of pages) {
  test(`${path} shows the server's own words for a failure, and tries again`, async ({ page }) => {
    await failing(page);
    await page.goto(path);
    const alert = page.getByRole("alert").first();
    await expect(alert).toContainText(problem.title);
    await expect(alert).toContainText(problem.detail);
    await expectAccessible(page);

    await page.unroute(API);
    // A page that asks several questions has as many to ask again.
    await expect(async () => {
      const retry = page.getByRole("button", { name: "Try again" }).first();
      if (await retry.isVisible()) await retry.click({ timeout: 1000 });
      await expect(page.getByRole("alert")).toHaveCount(0, { timeout: 300 });
    }).toPass();
    await expect(page.locator("main .panel, main dl").first()).toBeVisible();
  });

  test(`${path} says that the server is away, and comes back by itself`, async ({ page }) => {
    await page.route(API, (route) => route.abort("connectionrefused"));
    await page.goto(path);
    await expect(page.getByText("Heirloom does not answer")).toBeVisible();
    await page.unroute(API);
    await expect(page.getByText("Heirloom does not answer")).toBeHidden({ timeout: 15_000 });
    await expect(page.getByRole("alert")).toHaveCount(0);
  });

  test(`${path} shows that it is loading`, async ({ page }) => {
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    await page.route(API, async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(path);
    await expect(page.getByRole("status", { name: "Loading" }).first()).toBeAttached();
    answer();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
  });
}

test("a failing diff shows why", async ({ page }) => {
  await failing(page, /\/diffs/);
  await page.goto("/diff?a=hf:meadow/oak-1b&b=hf:meadow/oak-1b-instruct");
  await expect(page.getByRole("alert")).toContainText(problem.detail);
  await page.unroute(/\/diffs/);
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByTestId("totals")).toBeVisible({ timeout: 20_000 });
});

test("a model that was not crawled says how to crawl it", async ({ page }) => {
  await page.goto("/models/hf/no/such");
  await expect(page.getByRole("alert")).toContainText("heirloom crawl hf");
});

test("an empty catalogue says how to begin", async ({ page }) => {
  const nothing = {
    packages: 0,
    revisions: 0,
    fingerprints: 0,
    tensors: 0,
    edges: 0,
    silent_changes: 0,
    failures: 0,
    today: { new_models: 0, revisions: 0, major: 0, silent: 0, unreadable: 0 },
    licence_conflicts: [],
    relations: [],
    verdicts: [],
    recent: [],
    silent: [],
    contradicted: [],
    crawls: [],
  };
  await page.route(/v1\/overview/, (route) => route.fulfill({ json: nothing }));
  await page.route(/v1\/models\?/, (route) => route.fulfill({ json: { items: [], next: null, total: 0 } }));
  await page.route(/v1\/crawls/, (route) => route.fulfill({ json: { items: [] } }));
  for (const path of ["/", "/models", "/crawls"]) {
    await page.goto(path);
    await expect(page.getByText("heirloom crawl hf --author NAME")).toBeVisible();
    await expectAccessible(page);
  }
});

test("a search without a match can be cleared", async ({ page }) => {
  await page.goto("/models?search=zzz");
  await expect(page.getByText("No model matches")).toBeVisible();
  await page.getByRole("button", { name: "clear the search" }).click();
  await expect(page).toHaveURL("/models");
  await expect(page.getByRole("searchbox")).toHaveValue("");
  await expect(page.getByText("75 models")).toBeVisible();
});

test("an empty atlas and a server without keys say what to do", async ({ page }) => {
  await page.route(/v1\/atlas/, (route) => route.fulfill({ json: { items: [], next: null, total: 0 } }));
  await page.route(/v1\/(keys|schedules|jobs)$/, (route) => route.fulfill({ json: { items: [] } }));
  await page.goto("/atlas");
  await expect(page.getByText("heirloom crawl hf --author NAME")).toBeVisible();
  await page.goto("/settings");
  await expect(page.getByText("whoever is on this machine may write")).toBeVisible();
  await expect(page.getByLabel("Scope")).toHaveValue("admin");
  await expectAccessible(page);
  await page.goto("/crawls");
  await expect(page.getByText("Nothing is crawled by itself yet")).toBeVisible();
  await expect(page.getByText("Nothing waits, runs or was given up")).toBeVisible();
});

test("a server that wants a key says where to enter one", async ({ page }) => {
  const refusal = { ...problem, title: "Unauthorized", status: 401, detail: "this server takes a key" };
  await page.route(/v1\/keys/, (route) =>
    route.request().headers().authorization === "Bearer hl_right"
      ? route.continue()
      : route.fulfill({
          status: 401,
          contentType: "application/problem+json",
          body: JSON.stringify(refusal),
        }),
  );
  await page.goto("/settings");
  await expect(page.getByRole("alert")).toContainText(refusal.detail);
  await page.getByLabel("Key", { exact: true }).fill("hl_right");
  await page.getByRole("button", { name: "Use this key" }).click();
  await expect(page.getByText("old-laptop")).toBeVisible();
  await page.getByRole("button", { name: "Forget the key" }).click();
  await expect(page.getByRole("alert")).toContainText(refusal.detail);
});
