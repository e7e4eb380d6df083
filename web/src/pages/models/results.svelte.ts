// The models that match, page after page as far as somebody scrolls.

import * as api from "../../api/client";
import { ask, type ModelQuery } from "../../api/client";
import { Problem } from "../../api/problem";
import { Resource } from "../../api/resource.svelte";
import type { ModelPage, ModelSummary } from "../../api/types";

const PAGE = 50;
const LARGEST_PAGE = 200;

/** How far each of the latest lists was read, so that going back finds the place again. */
const read = new Map<string, { rest: ModelSummary[]; next: string | null }>();
const REMEMBERED_LISTS = 8;

export class Results {
  readonly first: Resource<ModelPage>;
  #question: () => ModelQuery;
  #rest = $state.raw<ModelSummary[]>([]);
  #next = $state.raw<string | null>(null);
  loadingMore = $state(false);
  problem = $state.raw<Problem>();

  constructor(question: () => ModelQuery) {
    this.#question = question;
    this.first = new Resource(() => this.#page());
    $effect(() => {
      const page = this.first.data;
      const known = page?.next ? read.get(this.#page().path) : undefined;
      this.#rest = known?.rest ?? [];
      this.#next = known ? known.next : (page?.next ?? null);
      this.problem = undefined;
    });
  }

  get models(): ModelSummary[] {
    return [...(this.first.data?.items ?? []), ...this.#rest];
  }

  get hasMore(): boolean {
    return this.#next !== null;
  }

  async loadMore(): Promise<void> {
    if (this.#next === null || this.loadingMore) return;
    const { data: asked } = this.first;
    const { path } = this.#page();
    this.loadingMore = true;
    try {
      const page = await ask(api.models({ ...this.#question(), limit: PAGE, cursor: this.#next }));
      if (this.first.data !== asked) return;
      this.#rest = [...this.#rest, ...page.items];
      this.#next = page.next;
      this.problem = undefined;
      read.delete(path);
      read.set(path, { rest: this.#rest, next: this.#next });
      const oldest = read.keys().next();
      if (read.size > REMEMBERED_LISTS && !oldest.done) read.delete(oldest.value);
    } catch (error) {
      this.problem =
        error instanceof Problem ? error : new Problem(500, "The answer could not be read", String(error));
    } finally {
      this.loadingMore = false;
    }
  }

  #page() {
    return api.models({ ...this.#question(), limit: PAGE });
  }
}

/** Every model that matches, up to `most`, whether it was scrolled to or not. */
export async function collect(
  query: ModelQuery,
  most: number,
  progress: (read: number) => void,
): Promise<ModelSummary[]> {
  const found: ModelSummary[] = [];
  let cursor: string | undefined;
  do {
    const page: ModelPage = await ask(
      api.models({ ...query, limit: LARGEST_PAGE, ...(cursor ? { cursor } : {}) }),
    );
    found.push(...page.items);
    progress(found.length);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && found.length < most);
  return found.slice(0, most);
}
