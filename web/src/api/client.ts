// The questions the dashboard asks of the API, and how one is asked.

import { apiPath } from "../format/reference";
import { key } from "./key.svelte";
import { problemOf, unreachable } from "./problem";
import type {
  ApiKeyList,
  AtlasPage,
  CrawlList,
  Diff,
  DiffRequest,
  Facets,
  HubList,
  JobList,
  KeyScope,
  LicenceChain,
  Lineage,
  MadeKey,
  MadeWebhook,
  ModelDetail,
  ModelPage,
  NewSchedule,
  Overview,
  Preview,
  ReleaseList,
  RevisionList,
  Schedule,
  ScheduleList,
  Study,
  TensorHolders,
  TensorPage,
  WebhookList,
  WebhookRequest,
} from "./types";

/** A GET of the API. The path is also its identity: equal paths share one remembered answer. */
export interface Question<T> {
  readonly path: string;
  /** Never set: ties the path to the type of its answer. */
  readonly answer?: T;
}

/** What narrows the list of models, by the names that addresses use too. */
export const modelFilters = [
  "hub",
  "owner",
  "relation",
  "verdict",
  "task",
  "library",
  "licence",
  "architecture",
  "base",
  "silent",
] as const;
export type ModelFilter = (typeof modelFilters)[number];

export interface ModelQuery extends Partial<Record<ModelFilter, string>> {
  search?: string;
  limit?: number;
  cursor?: string;
}

const BASE = "/api/v1";

export async function ask<T>(question: Question<T>, signal?: AbortSignal): Promise<T> {
  return request<T>(question.path, signal ? { signal } : {});
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  const headers = new Headers(init.headers);
  if (key.current) headers.set("authorization", `Bearer ${key.current}`);
  const response = await fetch(BASE + path, { ...init, headers }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  });
  if (!response.ok) throw await problemOf(response);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
  if (body === undefined) return request<T>(path, { method });
  const headers = { "content-type": "application/json" };
  return request<T>(path, { method, headers, body: JSON.stringify(body) });
}

function withQuery(path: string, parameters: Record<string, string | number | undefined>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return search.size === 0 ? path : `${path}?${search}`;
}

export const overview = (): Question<Overview> => ({ path: "/overview" });

export const models = (query: ModelQuery): Question<ModelPage> => ({
  path: withQuery("/models", { ...query }),
});

export const facets = (query: ModelQuery): Question<Facets> => ({
  path: withQuery("/models/facets", { ...query }),
});

export const atlas = (page: { limit: number; cursor?: string }): Question<AtlasPage> => ({
  path: withQuery("/atlas", page),
});

export const licences = (reference: string): Question<LicenceChain> => ({
  path: `/models/${apiPath(reference)}/licences`,
});

/** Where a browser downloads a bill of materials from. */
export const bomHref = (reference: string, format: "cyclonedx" | "spdx"): string =>
  `${BASE}/models/${apiPath(reference)}/bom?format=${format}`;

export const model = (reference: string): Question<ModelDetail> => ({
  path: `/models/${apiPath(reference)}`,
});

export const revisions = (reference: string): Question<RevisionList> => ({
  path: `/models/${apiPath(reference)}/revisions`,
});

/** The packages whose names differ from this one's in their version alone. */
export const releases = (reference: string): Question<ReleaseList> => ({
  path: `/models/${apiPath(reference)}/releases`,
});

export const lineage = (reference: string): Question<Lineage> => ({
  path: `/models/${apiPath(reference)}/lineage`,
});

export const tensors = (
  reference: string,
  page: { revision?: string; limit?: number; cursor?: string },
): Question<TensorPage> => ({ path: withQuery(`/models/${apiPath(reference)}/tensors`, page) });

export const tensorHolders = (digest: string): Question<TensorHolders> => ({
  path: `/tensors/${encodeURIComponent(digest)}`,
});

export const diff = (id: string): Question<Diff> => ({ path: `/diffs/${encodeURIComponent(id)}` });

export const study = (): Question<Study> => ({ path: "/study" });

export const crawls = (): Question<CrawlList> => ({ path: "/crawls" });

/** A diff the server already has comes back whole. */
export const startDiff = (body: DiffRequest): Promise<Diff> => send("POST", "/diffs", body);

/** Queues a crawl once more: what failed is tried again, what has not changed is not read again. */
export const crawlAgain = (id: number): Promise<void> => send("POST", `/crawls/${id}/again`);

export const hubs = (): Question<HubList> => ({ path: "/hubs" });

export const jobs = (): Question<JobList> => ({ path: "/jobs" });
export const retryJob = (id: number): Promise<void> => send("POST", `/jobs/${id}/retry`);
export const cancelJob = (id: number): Promise<void> => send("DELETE", `/jobs/${id}`);

export const schedules = (): Question<ScheduleList> => ({ path: "/schedules" });
export const previewSchedule = (cron: string, time_zone: string): Question<Preview> => ({
  path: withQuery("/schedules/preview", { cron, time_zone, limit: 4 }),
});
export const saveSchedule = (name: string, schedule: NewSchedule): Promise<Schedule> =>
  send("PUT", `/schedules/${encodeURIComponent(name)}`, schedule);
export const removeSchedule = (name: string): Promise<void> =>
  send("DELETE", `/schedules/${encodeURIComponent(name)}`);

export const keys = (): Question<ApiKeyList> => ({ path: "/keys" });
export const addKey = (name: string, scope: KeyScope): Promise<MadeKey> =>
  send("POST", "/keys", { name, scope });
export const revokeKey = (name: string): Promise<void> => send("DELETE", `/keys/${encodeURIComponent(name)}`);

export const webhooks = (): Question<WebhookList> => ({ path: "/webhooks" });
export const addWebhook = (webhook: WebhookRequest): Promise<MadeWebhook> =>
  send("POST", "/webhooks", webhook);
export const removeWebhook = (id: string): Promise<void> =>
  send("DELETE", `/webhooks/${encodeURIComponent(id)}`);
