// The REST contract over the fixtures of `family.ts`.

import type {
  AtlasModel,
  Diff,
  Facets,
  KeyScope,
  ModelSummary,
  NewSchedule,
  WebhookRequest,
} from "../../src/api/types";
import { licencesOf, lineageOf, models, overview, reportOf, revisionsOf, tensorsOf } from "./family.ts";
import * as service from "./service.ts";
import { releasesOf } from "./releases.ts";
import { study } from "./study.ts";

interface Answer {
  status: number;
  value: unknown;
}

const ok = (value: unknown): Answer => ({ status: 200, value });
const done: Answer = { status: 204, value: undefined };
const problem = (status: number, title: string, detail: string): Answer => ({
  status,
  value: { type: "about:blank", title, status, detail },
});

export function answer(method: string, url: URL, body: unknown): Answer {
  const parts = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  const [noun, hub, owner, name, sub] = parts;
  if (noun === "health") return ok({ status: "ok", version: "0.1.0", database: "ok" });
  if (noun === "overview") return ok(overview(service.crawls));
  if (noun === "atlas") return ok(atlas(url.searchParams));
  if (noun === "study") return ok(study);
  if (noun === "models" && parts.length === 1) return ok(search(url.searchParams));
  if (noun === "models" && parts.length === 2) return ok(facets(url.searchParams));
  if (noun === "models") return model(`${hub}:${owner}/${name}`, sub, url.searchParams);
  if (noun === "tensors") return ok({ digest: hub, items: holders(hub ?? "") });
  if (noun === "diffs" && method === "POST") return startDiff(body as { a: string; b: string });
  if (noun === "diffs" && hub) return advanceDiff(hub);
  if (noun === "diffs") return storedDiff(url.searchParams);
  return (
    steer(method, parts, url.searchParams, body) ?? problem(404, "Not found", `there is no ${url.pathname}`)
  );
}

/** What steers the service, rather than reading the catalogue. */
function steer(method: string, parts: string[], query: URLSearchParams, body: unknown): Answer | null {
  const [noun, name = "", verb] = parts;
  const gone = problem(404, "Not found", `there is no ${name}`);
  if (noun === "crawls")
    return method === "GET" ? ok({ items: service.crawls }) : { status: 202, value: undefined };
  if (noun === "hubs") return ok({ items: service.hubs });
  if (noun === "jobs" && verb === "retry") return service.retryJob(Number(name)) ? done : gone;
  if (noun === "jobs") return ok({ items: service.jobs });
  if (noun === "schedules" && name === "preview") return preview(query);
  if (noun === "schedules" && method === "PUT") return ok(service.saveSchedule(name, body as NewSchedule));
  if (noun === "schedules" && method === "DELETE") return service.removeSchedule(name) ? done : gone;
  if (noun === "schedules") return ok({ items: service.schedules });
  if (noun === "keys" && method === "POST") {
    const wanted = body as { name: string; scope: KeyScope };
    return { status: 201, value: { ...wanted, key: service.addKey(wanted.name, wanted.scope) } };
  }
  if (noun === "keys" && method === "DELETE") {
    const key = service.keys.find((key) => key.name === name);
    return key ? (Object.assign(key, { revoked_at: new Date().toISOString() }), done) : gone;
  }
  if (noun === "keys") return ok({ items: service.keys });
  if (noun === "webhooks" && method === "POST")
    return { status: 201, value: { ...service.addWebhook(body as WebhookRequest), secret: "whsec_bW9jaw" } };
  if (noun === "webhooks" && method === "DELETE") return service.removeWebhook(name) ? done : gone;
  if (noun === "webhooks") return ok({ items: service.webhooks });
  return null;
}

function preview(query: URLSearchParams): Answer {
  const cron = query.get("cron") ?? "";
  if (cron.trim().split(/\s+/).length !== 5)
    return problem(400, "Bad Request", `\`${cron}\` is not a cron pattern of five fields`);
  const day = Date.parse("2026-11-26T02:00:00Z");
  return ok({
    runs: Array.from({ length: 4 }, (_, at) => ({ at: new Date(day + at * 86_400_000).toISOString() })),
  });
}

const FILTERS = [
  "hub",
  "owner",
  "relation",
  "verdict",
  "task",
  "library",
  "licence",
  "architecture",
] as const;

function matching(query: URLSearchParams): ModelSummary[] {
  return models.filter(
    (model) =>
      `${model.owner}/${model.name}`.includes((query.get("search") ?? "").toLowerCase()) &&
      (query.get("silent") !== "true" || model.silent_changes > 0) &&
      FILTERS.every((key) => query.get(key) === null || model[key] === query.get(key)),
  );
}

function facets(query: URLSearchParams): Facets {
  const found = matching(query);
  const tally = (key: (typeof FILTERS)[number]) => {
    const counts = new Map<string, number>();
    for (const { [key]: value } of found) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
    return [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count);
  };
  const fields = FILTERS.filter((key) => key !== "owner").map((key) => [key, tally(key)]);
  return { counted: found.length, complete: true, ...Object.fromEntries(fields) } as Facets;
}

function atlas(query: URLSearchParams) {
  const idOf = new Map(models.map(({ reference }, index) => [reference, index + 1]));
  const all = models.map(({ reference, created_at, relation, verdict, parents }, index): AtlasModel => ({
    id: index + 1,
    reference,
    created_at,
    relation,
    verdict,
    parents: parents.flatMap((parent) => idOf.get(parent) ?? []),
  }));
  const start = Number(query.get("cursor") ?? 0);
  const end = start + Number(query.get("limit") ?? 5000);
  return { items: all.slice(start, end), next: end < all.length ? String(end) : null, total: all.length };
}

function search(query: URLSearchParams) {
  const found = matching(query);
  const start = Number(query.get("cursor") ?? 0);
  const end = start + Number(query.get("limit") ?? 50);
  return {
    items: found.slice(start, end),
    next: end < found.length ? String(end) : null,
    total: found.length,
    total_is_exact: true,
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
  if (sub === "releases") return ok({ items: releasesOf(found) });
  if (sub === "lineage") return ok(lineageOf(found));
  if (sub === "licences") return ok({ items: licencesOf(found) });
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
