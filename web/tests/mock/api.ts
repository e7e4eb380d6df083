// The REST contract over the fixtures of `family.ts`.

import type { Diff, ModelSummary } from "../../src/api/types";
import { crawls, lineageOf, models, overview, reportOf, revisionsOf, tensorsOf } from "./family.ts";

interface Answer {
  status: number;
  value: unknown;
}

const ok = (value: unknown): Answer => ({ status: 200, value });
const problem = (status: number, title: string, detail: string): Answer => ({
  status,
  value: { type: "about:blank", title, status, detail },
});

export function answer(method: string, url: URL, body: unknown): Answer {
  const parts = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const [noun, hub, owner, name, sub] = parts;
  if (noun === "health") return ok({ status: "ok", version: "0.1.0", database: "ok" });
  if (noun === "overview") return ok(overview());
  if (noun === "crawls") return ok({ items: crawls });
  if (noun === "models" && parts.length === 1) return ok(search(url.searchParams));
  if (noun === "models") return model(`${hub}:${owner}/${name}`, sub, url.searchParams);
  if (noun === "tensors") return ok({ digest: hub, items: holders(hub ?? "") });
  if (noun === "diffs" && method === "POST") return startDiff(body as { a: string; b: string });
  if (noun === "diffs" && hub) return advanceDiff(hub);
  if (noun === "diffs") return storedDiff(url.searchParams);
  return problem(404, "Not found", `there is no ${url.pathname}`);
}

function search(query: URLSearchParams) {
  const matches = (model: ModelSummary) =>
    `${model.owner}/${model.name}`.includes((query.get("search") ?? "").toLowerCase()) &&
    ["hub", "owner", "relation", "verdict"].every((key) => {
      const wanted = query.get(key);
      return wanted === null || model[key as "hub" | "owner" | "relation" | "verdict"] === wanted;
    });
  const found = models.filter(matches);
  const start = Number(query.get("cursor") ?? 0);
  const end = start + Number(query.get("limit") ?? 50);
  return {
    items: found.slice(start, end),
    next: end < found.length ? String(end) : null,
    total: found.length,
  };
}

function model(reference: string, sub: string | undefined, query: URLSearchParams): Answer {
  const found = models.find((model) => model.reference === reference);
  if (!found) {
    return problem(
      404,
      "Model not found",
      `${reference} has not been crawled; run \`heirloom crawl hf --search ${reference.split("/")[1]}\``,
    );
  }
  if (sub === undefined) return ok(found);
  if (sub === "revisions") return ok({ items: revisionsOf(found) });
  if (sub === "lineage") return ok(lineageOf(found));
  const rows = tensorsOf(found);
  const start = Number(query.get("cursor") ?? 0);
  const end = start + Number(query.get("limit") ?? 200);
  return ok({
    revision: found.head,
    items: rows.slice(start, end),
    next: end < rows.length ? String(end) : null,
    total: rows.length,
  });
}

function holders(digest: string) {
  return models
    .filter((model) => tensorsOf(model).some((tensor) => tensor.digest === digest))
    .map((model) => {
      const tensor = tensorsOf(model).find((row) => row.digest === digest);
      return {
        reference: model.reference,
        revision: model.head,
        name: tensor?.name,
        dtype: tensor?.dtype,
        shape: tensor?.shape,
      };
    });
}

const diffs = new Map<string, Diff>();
const STEP_BYTES = 700_000_000;
const TOTAL_BYTES = 2_900_000_000;

function startDiff({ a, b }: { a: string; b: string }): Answer {
  for (const side of [a, b]) {
    const reference = side.split("@")[0] ?? "";
    if (!models.some((model) => model.reference === reference)) {
      return problem(404, "Model not found", `${side} has not been crawled`);
    }
  }
  const id = String(diffs.size + 1);
  const diff: Diff = {
    id,
    a,
    b,
    status: "queued",
    bytes_done: 0,
    bytes_total: null,
    error: null,
    report: null,
    outcome: null,
    bump: null,
    created_at: new Date().toISOString(),
  };
  diffs.set(id, diff);
  return { status: 202, value: diff };
}

function advanceDiff(id: string): Answer {
  const diff = diffs.get(id);
  if (!diff) return problem(404, "Diff not found", `there is no diff ${id}`);
  if (diff.status === "done") return ok(diff);
  diff.bytes_total = TOTAL_BYTES;
  diff.bytes_done = Math.min(TOTAL_BYTES, diff.bytes_done + STEP_BYTES);
  diff.status = "running";
  if (diff.bytes_done === TOTAL_BYTES) Object.assign(diff, { status: "done", ...reportOf(diff.a, diff.b) });
  return ok(diff);
}

function storedDiff(query: URLSearchParams): Answer {
  const found = [...diffs.values()].find((diff) => diff.a === query.get("a") && diff.b === query.get("b"));
  return found ? ok(found) : problem(404, "Diff not found", "these two have not been compared");
}
