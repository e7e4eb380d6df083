// The figures on a page are the figures of REST and of the command line, and agree with what the demo's author knows.

import { expect, type Page } from "@playwright/test";
import type { Diff, DiffReport, ModelDetail, PairOutcome, Revision } from "../../src/api/types";
import { measure, count, percent } from "../../src/format/numbers";
import { relationNames, techniqueNames } from "../../src/format/words";
import { expectAccessible } from "../axe";
import { test } from "./heirloom";

interface Comparison {
  report: DiffReport;
  outcome: PairOutcome;
}
interface VersionLine {
  revision: string;
  version: string;
  bump: string | null;
  silent: boolean;
}

const text = async (page: Page, id: string) =>
  ((await page.getByTestId(id).first().textContent()) ?? "").trim();

test("a lineage edge", async ({ page, heirloom }) => {
  const truth = heirloom.truth().edges.find(({ technique }) => technique === "lora-merged");
  expect(truth, "the demo holds a merged low-rank fine-tune").toBeDefined();
  const [child, parent] = [truth?.child ?? "", truth?.parents[0] ?? ""];

  const { edge } = await heirloom.rest<ModelDetail>(`/models/hf/${child}`);
  const { outcome } = heirloom.cli<Comparison>("diff", heirloom.folder(parent), heirloom.folder(child));

  await page.goto(`/models/hf/${child}`);
  await expect(page.getByTestId("parents")).toHaveText(parent);
  expect(edge?.parents).toEqual([`hf:${parent}`]);

  const words = `${relationNames[edge?.relation ?? "unrelated"]}${techniqueNames[edge?.technique ?? ""]}`;
  expect(await text(page, "relation")).toBe(words);
  expect([edge?.relation, edge?.technique]).toEqual([truth?.relation, truth?.technique]);
  expect([outcome.relation, outcome.technique]).toEqual([truth?.relation, truth?.technique]);

  expect(await text(page, "confidence")).toBe(percent(edge?.confidence ?? 0));
  const evidence = page.getByTestId("evidence").locator("tbody tr");
  await expect(evidence).toHaveCount(edge?.evidence.length ?? 0);
  for (const [index, { name, value }] of (edge?.evidence ?? []).entries()) {
    await expect(evidence.nth(index).locator("code")).toHaveText(name);
    await expect(evidence.nth(index).locator(".number")).toHaveText(measure(value));
    const local = outcome.evidence.find((feature) => feature.name === name);
    if (local) expect(local.value, name).toBeCloseTo(value, 6);
  }
});

test("versions and a silent change", async ({ page, heirloom }) => {
  const silent = heirloom.truth().bumps.find((bump) => bump.silent);
  expect(silent, "the demo holds a silent change").toBeDefined();
  const name = silent?.package ?? "";

  const { items } = await heirloom.rest<{ items: Revision[] }>(`/models/hf/${name}/revisions`);
  const lines = heirloom.cli<VersionLine[]>("versions", heirloom.folder(name));

  await page.goto(`/models/hf/${name}/versions`);
  const shown = page.getByTestId("revision");
  await expect(shown).toHaveCount(items.length);
  for (const [index, revision] of items.entries()) {
    const row = shown.nth(index);
    await expect(row).toHaveAttribute("data-revision", revision.revision);
    await expect(row.getByTestId("revision-version")).toHaveAttribute("title", revision.version ?? "");
    const line = lines.find((line) => line.revision === revision.revision);
    expect(line, "the command line knows the revision").toMatchObject({
      version: revision.version,
      bump: revision.bump,
      silent: revision.silent,
    });
    await expect(row.getByText("silent", { exact: true })).toHaveCount(revision.silent ? 1 : 0);
  }
  const flagged = items.find(({ revision }) => revision === silent?.to);
  expect(flagged).toMatchObject({ silent: true, bump: silent?.bump });
});

test("a diff, chosen and run on the page", async ({ page, heirloom }) => {
  const truth = heirloom.truth().edges.find(({ relation }) => relation === "pruned");
  expect(truth, "the demo holds a pruned model").toBeDefined();
  const [child, parent] = [truth?.child ?? "", truth?.parents[0] ?? ""];

  await page.goto("/diff");
  for (const [label, name] of [
    ["Before", parent],
    ["After", child],
  ] as const) {
    await page.getByRole("combobox", { name: label, exact: true }).fill(name);
    await page.getByRole("option", { name: `hf:${name}`, exact: true }).click();
  }
  await page.getByRole("button", { name: "Compare" }).click();
  await expect(page.getByTestId("totals")).toBeVisible({ timeout: 120_000 });

  const started = await fetch(`${heirloom.origin}/api/v1/diffs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ a: `hf:${parent}`, b: `hf:${child}` }),
  });
  const stored = (await started.json()) as Diff;
  expect(stored.status, "the same question is not worked out twice").toBe("done");
  const { report } = heirloom.cli<Comparison>("diff", heirloom.folder(parent), heirloom.folder(child));

  for (const figures of [stored.report, report]) {
    expect(await text(page, "changed-elements")).toBe(count(figures?.changed_elements ?? NaN));
    expect(await text(page, "changed-tensors")).toBe(count(figures?.changed_tensors ?? NaN));
    expect(await text(page, "relative-l2")).toBe(measure(figures?.relative_l2 ?? NaN));
  }
  const rows = page.getByTestId("tensor-diffs").locator("tbody tr");
  await expect(rows).toHaveCount(Math.min(200, report.tensors.length));
  const most = [...report.tensors].sort((x, y) => (y.relative_l2 ?? -1) - (x.relative_l2 ?? -1))[0];
  await expect(rows.first().getByRole("rowheader")).toHaveText(most?.name ?? "");
  expect(await text(page, "outcome")).toContain(relationNames[stored.outcome?.relation ?? "unrelated"]);
  await expectAccessible(page);
});
