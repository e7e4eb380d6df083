// A line of two releases, each a package of its own.

import type { ModelDetail, Release } from "../../src/api/types";

/** `oak-1b` stands for the first release of `oak-1b-instruct`. */
export function releasesOf(model: ModelDetail): Release[] {
  if (!model.reference.startsWith("hf:meadow/oak-1b")) return [];
  const first: Release = {
    reference: "hf:meadow/oak-1b",
    date: "2025-02-01T09:00:00Z",
    declared: "0.1.0",
    version: "0.1.0+w.3fa9c1d2",
    predecessor: null,
    inferred: null,
    bump: null,
    silent: false,
    weights_changed: null,
    reasons: [],
  };
  const detail = "the name declares a major step (0.1.0 → 0.2.0), more than the minor that was found";
  const second: Release = {
    ...first,
    reference: "hf:meadow/oak-1b-instruct",
    date: "2025-03-01T09:00:00Z",
    declared: "0.2.0",
    version: "0.2.0+w.41b2c3d4",
    predecessor: first.reference,
    inferred: "0.1.1",
    bump: "minor",
    weights_changed: true,
    reasons: [
      { kind: "weights", bump: "minor", detail: "168 of 219 tensors changed value" },
      { kind: "declared", bump: "none", detail },
    ],
  };
  return [first, second];
}
