// Something that a person asks the server to do: running, done, or refused with a reason.

import { Problem } from "./problem";

export class Action {
  running = $state(false);
  problem = $state.raw<Problem>();

  /** True once the server has done it. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.running) return false;
    this.running = true;
    this.problem = undefined;
    try {
      await work();
      return true;
    } catch (error) {
      this.problem =
        error instanceof Problem ? error : new Problem(500, "The answer could not be read", String(error));
      return false;
    } finally {
      this.running = false;
    }
  }
}
