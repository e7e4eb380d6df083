import { expect, test } from "vitest";
import { formatWatched, parseWatched } from "../../src/format/watched";

test.each([
  ["", {}],
  ["hf:", { hub: "hf" }],
  ["hf:org", { hub: "hf", owner: "org" }],
  ["hf:org/name", { hub: "hf", owner: "org", name: "name" }],
])("%j is read and written", (text, watched) => {
  expect(parseWatched(text)).toEqual(watched);
  expect(formatWatched(watched)).toBe(text);
});

test.each(["org/name", "hf:org/name@main", "hf:org/", "https://example.org", "hf: org"])(
  "%j is refused",
  (text) => {
    expect(parseWatched(text)).toBeNull();
  },
);
