// Crawls, schedules, jobs and keys as a small service would have them; what a page changes is changed until the mock restarts.

import type {
  ApiKey,
  Crawl,
  HubAddress,
  Job,
  KeyScope,
  NewSchedule,
  Schedule,
  Webhook,
  WebhookRequest,
} from "../../src/api/types";
import { daysBefore, models } from "./family.ts";

const LOCAL = "http://127.0.0.1:41234";
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

const crawlOf = (crawl: Pick<Crawl, "id" | "started_at" | "packages"> & Partial<Crawl>): Crawl => ({
  hub: "hf",
  endpoint: LOCAL,
  author: null,
  search: null,
  limit: null,
  level: "full",
  finished_at: null,
  active_at: crawl.finished_at ?? minutesAgo(0),
  listed: crawl.packages,
  error: null,
  failed: crawl.failures?.length ?? 0,
  failures: [],
  ...crawl,
});

export const crawls: Crawl[] = [
  crawlOf({ id: 4, started_at: minutesAgo(14), packages: 41, listed: 64, author: "meadow" }),
  crawlOf({
    id: 3,
    started_at: daysBefore(1),
    finished_at: daysBefore(0.995),
    packages: models.length,
    failures: [
      {
        package: "northfield/birch-1b-truncated",
        reason: "model-00002-of-00002.safetensors ends at byte 1,048,576 of 2,097,152; download it again",
      },
    ],
  }),
  crawlOf({ id: 2, started_at: daysBefore(6), active_at: daysBefore(5.9), packages: 12, limit: 500 }),
  crawlOf({ id: 1, started_at: daysBefore(8), finished_at: daysBefore(7.999), packages: 60 }),
];

export const hubs: HubAddress[] = [
  { hub: "hf", endpoint: LOCAL, local: false, requests_per_second: null, concurrent_requests: 32 },
  {
    hub: "hf",
    endpoint: "https://hub.example",
    local: false,
    requests_per_second: 10,
    concurrent_requests: 8,
  },
  { hub: "dir", endpoint: "/srv/models", local: true, requests_per_second: 10, concurrent_requests: 8 },
];

export const jobs: Job[] = [
  {
    id: 7,
    kind: "crawl",
    state: "running",
    attempts: 1,
    max_attempts: 10,
    run_at: minutesAgo(14),
    reason: null,
    key: `crawl {"hub":"hf","endpoint":"${LOCAL}","author":"meadow","search":null,"limit":null,"level":"full"}`,
  },
  {
    id: 5,
    kind: "crawl",
    state: "failed",
    attempts: 10,
    max_attempts: 10,
    run_at: minutesAgo(300),
    reason: "https://hub.example/api/models: the hub does not answer; is it up?",
    key: `crawl {"hub":"hf","endpoint":"https://hub.example","author":null,"search":null,"limit":500,"level":"full"}`,
  },
];

export function retryJob(id: number): boolean {
  const job = jobs.find((job) => job.id === id && job.state !== "running");
  if (job) Object.assign(job, { state: "waiting", attempts: 0, reason: null });
  return job !== undefined;
}

export const schedules: Schedule[] = [
  {
    name: "nightly",
    cron: "0 3 * * *",
    time_zone: "Europe/Berlin",
    plan: { hub: "hf", endpoint: "https://hub.example", author: "meadow", search: null, limit: null },
    catch_up: "once",
    paused: false,
    next_run: new Date(Date.now() + 9 * 3_600_000).toISOString(),
    last_run: minutesAgo(900),
  },
];

export function saveSchedule(name: string, schedule: NewSchedule): Schedule {
  const { cron, time_zone, plan, catch_up = "once", paused = false } = schedule;
  const next_run = new Date(Date.now() + 3_600_000).toISOString();
  const saved: Schedule = { name, cron, time_zone, plan, catch_up, paused, next_run, last_run: null };
  removeSchedule(name);
  schedules.push(saved);
  return saved;
}

export function removeSchedule(name: string): boolean {
  const at = schedules.findIndex((schedule) => schedule.name === name);
  if (at >= 0) schedules.splice(at, 1);
  return at >= 0;
}

const bounds = { sees_restricted: false, requests_per_minute: 600, bytes_per_day: null };

export const keys: ApiKey[] = [
  {
    ...bounds,
    name: "root",
    scope: "admin",
    created_at: daysBefore(40),
    last_used_at: minutesAgo(3),
    revoked_at: null,
  },
  {
    ...bounds,
    name: "old-laptop",
    scope: "crawl",
    created_at: daysBefore(90),
    last_used_at: null,
    revoked_at: daysBefore(30),
  },
];

export function addKey(name: string, scope: KeyScope): string {
  keys.push({ ...bounds, name, scope, created_at: minutesAgo(0), last_used_at: null, revoked_at: null });
  return `hl_${"0f".repeat(32)}`;
}

export const webhooks: Webhook[] = [
  {
    id: "0197c1b0-6f6e-7c39-9c1a-3f1c5b6d7e8f",
    actor: "ci",
    url: "https://ci.example.org/heirloom",
    kinds: ["silent-change", "contradicted-base"],
    hub: "hf",
    owner: "riverlab",
    name: "oak-1b",
    family: true,
    failures: 2,
    last_attempt_at: minutesAgo(30),
    last_error: "the address answered 502 Bad Gateway",
    disabled_at: null,
    created_at: minutesAgo(9000),
  },
];

export function addWebhook(wanted: WebhookRequest): Webhook {
  const { url, kinds = [], hub = null, owner = null, name = null, family = false } = wanted;
  const id = `0197c1b0-6f6e-7c39-9c1a-${String(webhooks.length).padStart(12, "0")}`;
  const told = { failures: 0, last_attempt_at: null, last_error: null, disabled_at: null };
  const webhook = {
    id,
    actor: "ci",
    url,
    kinds,
    hub,
    owner,
    name,
    family,
    ...told,
    created_at: minutesAgo(0),
  };
  webhooks.unshift(webhook);
  return webhook;
}

export function removeWebhook(id: string): boolean {
  const at = webhooks.findIndex((webhook) => webhook.id === id);
  if (at >= 0) webhooks.splice(at, 1);
  return at >= 0;
}
