import { expect, test } from "vitest";
import { modelHref } from "../../src/format/reference";
import { matchRoute } from "../../src/routes";

test.each([
  ["/", { page: "overview" }],
  ["/models", { page: "models" }],
  ["/models/", { page: "models" }],
  ["/atlas", { page: "atlas" }],
  ["/diff", { page: "diff" }],
  ["/study", { page: "study" }],
  ["/crawls", { page: "crawls" }],
  ["/models/hf/a/b", { page: "model", reference: "hf:a/b", tab: "summary" }],
  ["/models/hf/a/b/tensors", { page: "model", reference: "hf:a/b", tab: "tensors" }],
  ["/models/hf/a/b/secrets", { page: "missing", path: "/models/hf/a/b/secrets" }],
  ["/models/hf/a", { page: "missing", path: "/models/hf/a" }],
  ["/models/hf/a/b/card/x", { page: "missing", path: "/models/hf/a/b/card/x" }],
  ["/nowhere", { page: "missing", path: "/nowhere" }],
  ["/models/hf/a/%E0%A4%A", { page: "model", reference: "hf:a/%E0%A4%A", tab: "summary" }],
])("%s", (path, expected) => expect(matchRoute(path)).toEqual(expected));

test("an address made from a reference leads back to it", () => {
  const reference = "hf:o.w-n_er/näme#1";
  expect(matchRoute(modelHref(reference, "card"))).toEqual({ page: "model", reference, tab: "card" });
});
