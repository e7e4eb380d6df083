// A running `heirloom serve --demo` with a database of its own, and the two other doors to the same figures: REST and the CLI.

import { test as base } from "@playwright/test";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Overview } from "../../src/api/types";

const START_MILLISECONDS = 120_000;
const CRAWL_MILLISECONDS = 600_000;
const STOP_MILLISECONDS = 20_000;

/** What the demo's author knows of it. */
export interface Truth {
  edges: { child: string; parents: string[]; relation: string; technique: string; declared?: string }[];
  bumps: { package: string; from: string; to: string; bump: string; silent: boolean }[];
}

export class Heirloom {
  readonly origin: string;
  readonly #binary: string;
  readonly #demo: string;

  constructor(binary: string, demo: string, origin: string) {
    this.#binary = binary;
    this.#demo = demo;
    this.origin = origin;
  }

  async rest<T>(path: string): Promise<T> {
    const response = await fetch(`${this.origin}/api/v1${path}`);
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  cli<T>(...args: string[]): T {
    const output = execFileSync(this.#binary, [...args, "--json", "--quiet"], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    return JSON.parse(output) as T;
  }

  truth(): Truth {
    return JSON.parse(readFileSync(join(this.#demo, "truth.json"), "utf8")) as Truth;
  }

  /** The package's folder in the demo, which the command line reads without any database. */
  folder(fullName: string): string {
    return join(this.#demo, fullName);
  }
}

export const test = base.extend<object, { heirloom: Heirloom }>({
  heirloom: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads a fixture's needs off this pattern
    async ({}, use) => {
      const binary = needed("HEIRLOOM_BIN", "the path of the heirloom binary");
      const demo = needed("HEIRLOOM_DEMO", "the folder that `heirloom-zoo demo` wrote");
      const data = mkdtempSync(join(tmpdir(), "heirloom-e2e-"));
      // As root, Postgres runs as another user, who must be able to pass through.
      chmodSync(data, 0o755);
      const server = spawn(binary, ["serve", "--demo", demo, "--listen", "127.0.0.1:0"], {
        env: { ...process.env, HEIRLOOM_DATA: join(data, "state"), DATABASE_URL: undefined },
        stdio: ["ignore", "ignore", "pipe"],
      });
      try {
        const heirloom = new Heirloom(binary, demo, await addressOf(server));
        await crawled(heirloom);
        await use(heirloom);
      } finally {
        await stop(server);
        rmSync(data, { recursive: true, force: true });
      }
    },
    { scope: "worker", timeout: START_MILLISECONDS + CRAWL_MILLISECONDS },
  ],
  baseURL: async ({ heirloom }, use) => use(heirloom.origin),
});

function needed(variable: string, what: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`set ${variable} to ${what}; \`make e2e\` does`);
  return value;
}

/** The server says where it is once it listens. */
function addressOf(server: ChildProcess): Promise<string> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${why}; it said:\n${said.slice(-20).join("\n")}`));
    const timer = setTimeout(() => fail("heirloom serve did not start in time"), START_MILLISECONDS);
    if (!server.stderr) throw new Error("heirloom serve has no standard error");
    createInterface({ input: server.stderr }).on("line", (line) => {
      said.push(line);
      const address = /Heirloom is at (http:\/\/\S+)/.exec(line)?.[1];
      if (address) {
        clearTimeout(timer);
        resolve(address);
      }
    });
    server.once("exit", (code) => fail(`heirloom serve ended with ${code}`));
    server.once("error", (error) => fail(error.message));
  });
}

/** The crawl is over when every child that the truth names has its edge and its version. */
async function crawled(heirloom: Heirloom): Promise<void> {
  const expected = heirloom.truth().edges.length;
  const deadline = Date.now() + CRAWL_MILLISECONDS;
  for (;;) {
    const overview = await heirloom.rest<Overview>("/overview");
    const over = overview.crawls[0]?.finished_at !== null && overview.crawls.length > 0;
    if (over && overview.edges >= expected / 2 && overview.recent.some(({ version }) => version !== null))
      return;
    if (Date.now() > deadline)
      throw new Error(`the demo was not crawled in time: ${JSON.stringify(overview.crawls)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  const late = setTimeout(() => server.kill("SIGKILL"), STOP_MILLISECONDS);
  await ended;
  clearTimeout(late);
}
