// One diff from the asking to the answer. The server hands back the stored one when there is one; a new one is followed
// until it ends.

import { ask, diff as diffById, startDiff } from "../../api/client";
import { connection } from "../../api/connection.svelte";
import { Problem } from "../../api/problem";
import type { Diff, DiffRequest } from "../../api/types";

const FIRST_POLL_MILLISECONDS = 250;
const SLOWEST_POLL_MILLISECONDS = 2000;

export class Comparison {
  diff = $state.raw<Diff>();
  problem = $state.raw<Problem>();
  #abort: AbortController | undefined;

  forget(): void {
    this.#abort?.abort();
    this.diff = undefined;
    this.problem = undefined;
  }

  /** Returns how to stop following. */
  follow(question: DiffRequest): () => void {
    this.forget();
    const abort = new AbortController();
    this.#abort = abort;
    void this.#run(question, abort.signal);
    return () => abort.abort();
  }

  async #run(question: DiffRequest, signal: AbortSignal): Promise<void> {
    try {
      let diff = await startDiff(question);
      let pause = FIRST_POLL_MILLISECONDS;
      while (!signal.aborted) {
        this.diff = diff;
        connection.reached();
        if (diff.status === "done" || diff.status === "failed") return;
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(SLOWEST_POLL_MILLISECONDS, pause * 1.3);
        diff = await ask(diffById(diff.id), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.problem =
        error instanceof Problem ? error : new Problem(500, "The answer could not be read", String(error));
      if (this.problem.offline) connection.lost();
    }
  }
}
