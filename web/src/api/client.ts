// The questions the dashboard asks of the API, and how one is asked.

import { apiPath } from "../format/reference";
import { problemOf, unreachable } from "./problem";
import type {
  CrawlList,
  Diff,
  DiffRequest,
  Lineage,
  ModelDetail,
  ModelPage,
  Overview,
  RevisionList,
  TensorHolders,
  TensorPage,
} from "./types";

/** A GET of the API. The path is also its identity: equal paths share one remembered answer. */
export interface Question<T> {
  readonly path: string;
  /** Never set: ties the path to the type of its answer. */
  readonly answer?: T;
}

export interface ModelQuery {
  search?: string;
  hub?: string;
  owner?: string;
  relation?: string;
  verdict?: string;
  limit?: number;
  cursor?: string;
}

const BASE = "/api/v1";

export async function ask<T>(question: Question<T>, signal?: AbortSignal): Promise<T> {
  return request<T>(question.path, signal ? { signal } : {});
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  const response = await fetch(BASE + path, init).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
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

export const model = (reference: string): Question<ModelDetail> => ({
  path: `/models/${apiPath(reference)}`,
});

export const revisions = (reference: string): Question<RevisionList> => ({
  path: `/models/${apiPath(reference)}/revisions`,
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

export const crawls = (): Question<CrawlList> => ({ path: "/crawls" });

/** A diff the server already has comes back whole. */
export function startDiff(body: DiffRequest): Promise<Diff> {
  return request<Diff>("/diffs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}
