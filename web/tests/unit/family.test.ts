import { expect, test } from "vitest";
import type { Edge, Lineage, Relation } from "../../src/api/types";
import { familyRows } from "../../src/family";

function lineage(nodes: string[], edges: [child: string, parents: string[]][]): Lineage {
  return {
    root: nodes[0] ?? "",
    truncated: false,
    nodes: nodes.map((reference) => ({
      reference,
      version: null,
      parameters: null,
      architecture: null,
      verdict: null,
      relation: null,
      technique: null,
    })),
    edges: edges.map(([child, parents]): Edge => ({
      child,
      parents,
      relation: "finetune" satisfies Relation,
      technique: "full",
      params: {},
      confidence: 1,
      explanation: "",
      evidence: [],
      verdict: null,
    })),
  };
}

const drawn = (family: Lineage) =>
  familyRows(family).map(({ node, depth }) => `${" ".repeat(depth)}${node.reference}`);

test("children hang under their parent, siblings by name", () => {
  const family = lineage(
    ["c", "a", "b", "d"],
    [
      ["c", ["a"]],
      ["b", ["a"]],
      ["d", ["b"]],
    ],
  );
  expect(drawn(family)).toEqual(["a", " b", "  d", " c"]);
  const [, b, d] = familyRows(family);
  expect(b).toMatchObject({ last: false, hasChildren: true, guides: [] });
  expect(d).toMatchObject({ last: true, hasChildren: false, guides: [true] });
});

test("a merge hangs under its first parent and names the others", () => {
  const rows = familyRows(lineage(["a", "b", "m"], [["m", ["b", "a"]]]));
  expect(rows.map(({ node }) => node.reference)).toEqual(["a", "b", "m"]);
  expect(rows[2]?.otherParents).toEqual(["a"]);
});

test("a parent outside the answer leaves its child a root", () => {
  expect(drawn(lineage(["b"], [["b", ["gone"]]]))).toEqual(["b"]);
});

test("a cycle ends", () => {
  expect(
    drawn(
      lineage(
        ["a", "b", "c"],
        [
          ["a", ["b"]],
          ["b", ["a"]],
        ],
      ),
    ),
  ).toEqual(["c"]);
});
