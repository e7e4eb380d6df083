import { expect, test } from "vitest";
import { type Candidate, overlap, placeLabels } from "../../src/atlas/labels";
import { layOut } from "../../src/atlas/layout";
import { firstParents } from "../../src/atlas/place";
import { drawFamily } from "../../src/atlas/tree";
import { lineageOf, models } from "../mock/family";

/** Each model with three children, until there are `size`. */
const family = (size: number, first = 0) =>
  Array.from({ length: size }, (_, index) => (index === 0 ? -1 : first + Math.floor((index - 1) / 3)));

interface Point {
  x: number;
  y: number;
}
function pointsOf(parents: number[]): Point[] {
  const flat = layOut(Int32Array.from(parents));
  return parents.map((_parent, index) => ({ x: flat[2 * index] ?? NaN, y: flat[2 * index + 1] ?? NaN }));
}

const closest = (points: Point[]) =>
  Math.min(...points.flatMap((a, at) => points.slice(at + 1).map((b) => Math.hypot(a.x - b.x, a.y - b.y))));

test("every model has a place of its own", () => {
  const points = pointsOf([...family(40), ...family(13, 40), -1, -1]);
  expect(points).toHaveLength(55);
  expect(closest(points)).toBeGreaterThan(0.3);
});

test("children stand further out than their parent", () => {
  const parents = family(40);
  const points = pointsOf(parents);
  const root = points[0] ?? { x: NaN, y: NaN };
  const out = (index: number) =>
    Math.hypot((points[index]?.x ?? 0) - root.x, (points[index]?.y ?? 0) - root.y);
  parents.slice(1).forEach((parent, at) => expect(out(at + 1)).toBeGreaterThan(out(parent)));
});

test("the same catalogue gives the same map, and cycles give one too", () => {
  expect(pointsOf(family(30))).toEqual(pointsOf(family(30)));
  const circle = pointsOf([1, 0, -1]);
  expect(circle.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
  expect(closest(circle)).toBeGreaterThan(0.3);
});

test("a merge stands under its first known parent", () => {
  const merge = { id: 9, parents: [404, 9, 7, 8] };
  expect([...firstParents([{ id: 7, parents: [] }, { id: 8, parents: [] }, merge])]).toEqual([-1, -1, 0]);
});

test("no name covers another, and the most important comes first", () => {
  const candidates = Array.from({ length: 400 }, (_, index): Candidate => {
    const [x, y] = [(index * 37) % 900, (index * 53) % 500];
    return { node: String(index), x, y, size: 4, width: 60 + (index % 90), before: index % 2 === 0 };
  });
  const boxes = placeLabels(candidates, 900, 500);
  expect(boxes[0]?.node).toBe("0");
  expect(boxes.length).toBeGreaterThan(20);
  boxes.forEach((a, at) => boxes.slice(at + 1).forEach((b) => expect(overlap(a, b)).toBe(false)));
});

test("a tree shows each generation in a column, and folds a large brood", () => {
  const model = models.find(({ name }) => name === "oak-1b-legal");
  if (!model) throw new Error("the fixtures hold the model");
  const lineage = lineageOf(model);
  const folded = drawFamily(lineage, new Set());
  const [rest] = folded.rests;
  expect(rest?.parent).toBe("hf:meadow/oak-1b");
  expect(folded.models.length + (rest?.left ?? 0)).toBe(lineage.nodes.length);
  expect(folded.models.some(({ node }) => node.reference === model.reference)).toBe(true);

  const { models: shown, lines } = drawFamily(lineage, new Set(["hf:meadow/oak-1b"]));
  expect(shown).toHaveLength(lineage.nodes.length);
  expect(new Set(shown.map(({ x, y }) => `${x}/${y}`)).size).toBe(shown.length);
  for (const { from, to, second } of lines) if (!second) expect(from.x).toBeLessThan(to.x);
  expect(lines.filter(({ second }) => second)).toHaveLength(1);
});
