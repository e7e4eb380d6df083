// Every model of the catalogue as a point of the map, read in large pages, with how far the reading is.

import { ask, atlas } from "../api/client";
import { connection } from "../api/connection.svelte";
import { Problem } from "../api/problem";
import type { AtlasModel, AtlasPage } from "../api/types";

const PAGE = 10_000;
/** What a browser draws smoothly; beyond it the atlas says that it stops. */
const MOST_MODELS = 100_000;

export class Catalogue {
  read = $state(0);
  total = $state<number>();
  /** Set once everything is here. */
  models = $state.raw<AtlasModel[]>();
  truncated = $state(false);
  problem = $state.raw<Problem>();

  constructor() {
    $effect(() => {
      void connection.recoveries;
      const abort = new AbortController();
      void this.load(abort.signal);
      return () => abort.abort();
    });
  }

  async load(signal?: AbortSignal): Promise<void> {
    this.problem = undefined;
    const found: AtlasModel[] = [];
    let cursor: string | null = null;
    try {
      do {
        const page: AtlasPage = await ask(
          atlas({ limit: PAGE, ...(cursor === null ? {} : { cursor }) }),
          signal,
        );
        found.push(...page.items);
        this.read = found.length;
        this.total = page.total;
        cursor = page.next;
      } while (cursor !== null && found.length < MOST_MODELS);
      connection.reached();
      this.truncated = cursor !== null;
      this.models = found;
    } catch (error) {
      if (signal?.aborted) return;
      this.problem =
        error instanceof Problem ? error : new Problem(500, "The answer could not be read", String(error));
      if (this.problem.offline) connection.lost();
    }
  }
}
