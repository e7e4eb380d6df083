import { expect, test } from "vitest";
import { heat, heatMap, placeOf, stackSpans } from "../../src/format/tensors";

test.each([
  ["model.layers.3.self_attn.q_proj.weight", "model.layers", 3, "self_attn.q_proj.weight"],
  ["h.0.attn.c_attn.bias", "h", 0, "attn.c_attn.bias"],
  ["layers.2.experts.7.w1", "layers", 2, "experts.7.w1"],
  ["0.weight", "", 0, "weight"],
  ["blocks.4", "blocks", 4, "value"],
  ["lm_head.weight", null, null, "lm_head.weight"],
  ["conv1.weight", "conv", 1, "weight"],
  ["encoder.block_12.norm.bias", "encoder.block", 12, "norm.bias"],
  ["final_conv.weight", null, null, "final_conv.weight"],
  ["weight2", null, null, "weight2"],
])("%s", (name, stack, layer, role) => expect(placeOf(name)).toEqual({ stack, layer, role }));

test("a heat map has a cell for every tensor, layers in order, stacks apart", () => {
  const names = ["embed", "enc.1.w", "enc.0.w", "dec.0.w", "dec.0.b", "enc.10.w", "head"];
  const map = heatMap(names.map((name) => ({ name })));
  expect(map.rows).toEqual(["embed", "w", "b", "head"]);
  expect(map.columns.map(({ stack, layer }) => `${stack}:${layer}`)).toEqual([
    "enc:0",
    "enc:1",
    "enc:10",
    "dec:0",
    "null:null",
  ]);
  expect(stackSpans(map.columns)).toEqual([
    { stack: "enc", start: 0, length: 3 },
    { stack: "dec", start: 3, length: 1 },
    { stack: null, start: 4, length: 1 },
  ]);
  const places = new Set(map.cells.map(({ row, column }) => `${row}/${column}`));
  expect(places.size).toBe(names.length);
  expect(map.cells.find(({ tensor }) => tensor.name === "dec.0.b")).toMatchObject({ row: 2, column: 3 });
});

test.each([
  [null, null],
  [0, null],
  [1e-9, 0],
  [1e-6, 0],
  [1e-3, 0.5],
  [1, 1],
  [40, 1],
])("heat of %d is %d", (relative, expected) => {
  if (expected === null) expect(heat(relative)).toBeNull();
  else expect(heat(relative)).toBeCloseTo(expected, 9);
});
