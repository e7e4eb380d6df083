// Places of all models, worked out by a worker.

import type { AtlasModel } from "../api/types";

/** x and y of each model, in turn. Never settles once aborted. */
export function place(models: readonly AtlasModel[], signal: AbortSignal): Promise<Float32Array> {
  const worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
  signal.addEventListener("abort", () => worker.terminate());
  return new Promise((resolve) => {
    worker.addEventListener("message", ({ data }: MessageEvent<Float32Array>) => {
      worker.terminate();
      if (!signal.aborted) resolve(data);
    });
    worker.postMessage(firstParents(models));
  });
}

/** The index of each model's first known parent, -1 for none: a merge stands under one of its parents. */
export function firstParents(models: readonly { id: number; parents: readonly number[] }[]): Int32Array {
  const indexOf = new Map(models.map(({ id }, index) => [id, index]));
  return Int32Array.from(models, ({ id, parents }) => {
    const first = parents.find((parent) => parent !== id && indexOf.has(parent));
    return first === undefined ? -1 : (indexOf.get(first) ?? -1);
  });
}
