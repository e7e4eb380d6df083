// Where a crawl stands, and how fast it gets on.

import type { Crawl } from "../api/types";

export type CrawlState = "running" | "interrupted" | "stopped" | "failures" | "good";

/** One package may take long; one that is still for longer was cut off. */
const STILL_MILLISECONDS = 10 * 60_000;

export function stateOf(crawl: Crawl, now: Date): CrawlState {
  if (crawl.finished_at === null)
    return now.getTime() - Date.parse(crawl.active_at) > STILL_MILLISECONDS ? "interrupted" : "running";
  if (crawl.error !== null) return "stopped";
  return crawl.failures.length > 0 ? "failures" : "good";
}

/** How long it worked, to now where it still does. */
export function millisecondsOf(crawl: Crawl, now: Date): number {
  const end =
    crawl.finished_at !== null
      ? Date.parse(crawl.finished_at)
      : stateOf(crawl, now) === "running"
        ? now.getTime()
        : Date.parse(crawl.active_at);
  return Math.max(0, end - Date.parse(crawl.started_at));
}

/** Packages a minute since the crawl began; `null` until there is something to divide. */
export function rateOf(crawl: Crawl, now: Date): number | null {
  const minutes = millisecondsOf(crawl, now) / 60_000;
  return crawl.packages > 0 && minutes > 0 ? crawl.packages / minutes : null;
}

/** What a crawl takes from its hub, in words. */
export function describePlan(plan: {
  author?: string | null;
  search?: string | null;
  limit?: number | null;
}): string {
  const parts = [
    plan.author ? `owner ${plan.author}` : null,
    plan.search ? `names with “${plan.search}”` : null,
    plan.limit ? `at most ${plan.limit}` : null,
  ].filter((part) => part !== null);
  return parts.length === 0 ? "everything" : parts.join(", ");
}
