import { describe, expect, test } from "vitest";
import {
  apiPath,
  diffHref,
  fullName,
  modelHref,
  parseReference,
  shortReference,
  withRevision,
} from "../../src/format/reference";

describe("parseReference", () => {
  test.each([
    ["hf:meta/llama", { hub: "hf", owner: "meta", name: "llama", revision: null }],
    ["hf:meta/llama-3.1_8B@v1.0", { hub: "hf", owner: "meta", name: "llama-3.1_8B", revision: "v1.0" }],
    ["  hf:a/b@refs/pr/1 ", { hub: "hf", owner: "a", name: "b", revision: "refs/pr/1" }],
    ["dir:a/b", { hub: "dir", owner: "a", name: "b", revision: null }],
  ])("%s", (text, expected) => expect(parseReference(text)).toEqual(expected));

  test.each(["", "hf:", "hf:owner", "owner/name", "hf:a/b/c", "hf:a /b", "hf:a/b@"])("refuses %j", (text) =>
    expect(parseReference(text)).toBeNull(),
  );
});

test("addresses escape what a path may not hold", () => {
  expect(modelHref("hf:a/b#c?d")).toBe("/models/hf/a/b%23c%3Fd");
  expect(modelHref("hf:a/b", "family")).toBe("/models/hf/a/b/family");
  expect(modelHref("a/b")).toBe("/models?search=a%2Fb");
  expect(apiPath("hf:a/b@rev")).toBe("hf/a/b");
  expect(diffHref("hf:a/b@1", "hf:c/d")).toBe("/diff?a=hf%3Aa%2Fb%401&b=hf%3Ac%2Fd");
});

test("revisions are replaced, shortened and dropped", () => {
  const digest = "0123456789abcdef0123456789abcdef01234567";
  expect(withRevision("hf:a/b@old", "new")).toBe("hf:a/b@new");
  expect(shortReference(`hf:a/b@${digest}`)).toBe("hf:a/b@01234567");
  expect(shortReference("hf:a/b@v1.0")).toBe("hf:a/b@v1.0");
  expect(fullName("hf:a/b@v1.0")).toBe("a/b");
});
