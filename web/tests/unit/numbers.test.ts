import { describe, expect, test } from "vitest";
import { bytes, compact, counted, measure, parameters, percent, shape } from "../../src/format/numbers";

test.each([
  [0, "0"],
  [999, "999"],
  [1000, "1K"],
  [999_960, "1M"],
  [1_235_814_400, "1.24B"],
  [12_400_000, "12.4M"],
  [120_000_000, "120M"],
])("compact %d is %s", (value, expected) => expect(compact(value)).toBe(expected));

test.each([
  [0, "0 B"],
  [512, "512 B"],
  [1_048_576, "1.05 MB"],
  [13_476_000_000, "13.5 GB"],
])("bytes %d is %s", (value, expected) => expect(bytes(value)).toBe(expected));

describe("measure", () => {
  test.each([
    [0, "0"],
    [16, "16"],
    [-3, "−3"],
    [0.012744, "0.0127"],
    [0.99992, "0.99992"],
    [0.9999999, "0.9999999"],
    [-0.5, "−0.5"],
    [1234.56, "1,235"],
    [0.00000042, "4.2e−7"],
    [1.5e9 + 0.5, "1.5e9"],
    [NaN, "not a number"],
    [-Infinity, "−∞"],
  ])("%d is %s", (value, expected) => expect(measure(value)).toBe(expected));
});

test.each([
  [0, "0%"],
  [0.5, "50%"],
  [0.125, "12.5%"],
  [0.00001, "<0.01%"],
  [0.99999, ">99.99%"],
  [0.9991, "99.91%"],
  [1, "100%"],
])("percent %d is %s", (value, expected) => expect(percent(value)).toBe(expected));

test("shapes, counts and recovered parameters", () => {
  expect(shape([4096, 11008])).toBe("4096 × 11008");
  expect(shape([])).toBe("scalar");
  expect(counted(1, "tensor")).toBe("1 tensor");
  expect(counted(1200, "tensor")).toBe("1,200 tensors");
  expect(parameters({ rank: 8, group_size: 128, coefficients: [0.6, 0.4], base: null, per: { q: 4 } })).toBe(
    "rank 8 · group size 128 · coefficients 0.6, 0.4 · per q 4",
  );
});
