// The answer to a question as a page sees it: loading, here, or not to be had.

import { ask, type Question } from "./client";
import { connection } from "./connection.svelte";
import { key } from "./key.svelte";
import { Problem } from "./problem";

/** The latest answers, so that going back shows a page at once while it is asked again. */
const remembered = new Map<string, unknown>();
const REMEMBERED_ANSWERS = 60;

function remember(path: string, answer: unknown): void {
  remembered.delete(path);
  remembered.set(path, answer);
  const oldest = remembered.keys().next();
  if (remembered.size > REMEMBERED_ANSWERS && !oldest.done) remembered.delete(oldest.value);
}

export class Resource<T> {
  /** The last answer; stays while a newer one is on its way, so that the page does not jump. */
  data = $state.raw<T>();
  problem = $state.raw<Problem>();
  loading = $state(true);
  #attempt = $state(0);

  constructor(question: () => Question<T> | null) {
    const path = $derived(question()?.path);
    $effect(() => {
      void this.#attempt;
      // With another key the same question may have another answer.
      void [connection.recoveries, key.current];
      if (path === undefined) return;
      const abort = new AbortController();
      void this.#load({ path }, abort.signal);
      return () => abort.abort();
    });
  }

  reload(): void {
    this.#attempt += 1;
  }

  async #load(question: Question<T>, signal: AbortSignal): Promise<void> {
    const known = remembered.get(question.path) as T | undefined;
    if (known !== undefined) this.data = known;
    this.loading = true;
    try {
      const answer = await ask(question, signal);
      remember(question.path, answer);
      this.data = answer;
      this.problem = undefined;
      connection.reached();
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(question.path, error, known !== undefined);
    }
    if (!signal.aborted) this.loading = false;
  }

  #fail(path: string, error: unknown, known: boolean): void {
    const problem =
      error instanceof Problem ? error : new Problem(500, "The answer could not be read", String(error));
    if (problem.offline) connection.lost();
    // What was known stays on the page under the offline banner; an answer to another question does not.
    if (problem.offline && known) return;
    if (problem.needsKey) remembered.delete(path);
    if (!known || problem.needsKey) this.data = undefined;
    this.problem = problem;
  }
}
