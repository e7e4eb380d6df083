import { expect, test } from "vitest";
import { decades, logarithmic, stack } from "../../src/format/plots";

test("a logarithmic axis begins at one and ends at the largest value", () => {
  const at = logarithmic(1000, 300);
  expect([1, 10, 1000].map((value) => Math.round(at(value)))).toEqual([0, 100, 300]);
  expect(at(0)).toBe(0);
  expect(Number.isFinite(logarithmic(1, 300)(1))).toBe(true);
});

test("decades are marked up to the largest value", () => {
  expect(decades(1)).toEqual([1]);
  expect(decades(250)).toEqual([1, 10, 100]);
});

test("the parts of a column stand on one another", () => {
  expect(stack([2, 0, 3], 100, 10)).toEqual([
    { part: 0, y: 80, height: 20 },
    { part: 1, y: 80, height: 0 },
    { part: 2, y: 50, height: 30 },
  ]);
});
