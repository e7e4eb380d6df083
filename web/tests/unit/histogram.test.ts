import { expect, test } from "vitest";
import { addHistograms, exponent } from "../../src/format/histogram";

test("histograms are added where their powers meet", () => {
  const sum = addHistograms([
    { lowest: -4, counts: [1, 2], pairs: 10 },
    { lowest: -3, counts: [5, 0, 7], pairs: 20 },
    { lowest: 0, counts: [], pairs: 3 },
  ]);
  expect(sum).toEqual({ lowest: -4, counts: [1, 7, 0, 7], pairs: 33 });
});

test("nothing added is nothing", () => {
  expect(addHistograms([])).toEqual({ lowest: 0, counts: [], pairs: 0 });
});

test("powers are written small", () => {
  expect([exponent(-12), exponent(0), exponent(3)]).toEqual(["2⁻¹²", "2⁰", "2³"]);
});
