import { expect, test } from "vitest";
import { layOut, type Member } from "../../src/atlas/layout";

function family(size: number, prefix = ""): Member[] {
  return Array.from({ length: size }, (_, index) => ({
    reference: `${prefix}${index}`,
    parents: index === 0 ? [] : [`${prefix}${Math.floor((index - 1) / 3)}`],
  }));
}

const closest = (points: { x: number; y: number }[]) =>
  Math.min(...points.flatMap((a, at) => points.slice(at + 1).map((b) => Math.hypot(a.x - b.x, a.y - b.y))));

test("every model has a place of its own", () => {
  const members = [...family(40, "a"), ...family(13, "b"), ...family(1, "c"), ...family(1, "d")];
  const points = layOut(members);
  expect(points.size).toBe(members.length);
  expect(closest([...points.values()])).toBeGreaterThan(0.3);
});

test("children stand further out than their parent", () => {
  const members = family(40);
  const points = layOut(members);
  const root = points.get("0") ?? { x: NaN, y: NaN };
  const out = (reference: string) => {
    const { x, y } = points.get(reference) ?? { x: NaN, y: NaN };
    return Math.hypot(x - root.x, y - root.y);
  };
  for (const { reference, parents } of members.slice(1))
    expect(out(reference)).toBeGreaterThan(out(parents[0] ?? ""));
});

test("the same catalogue gives the same map, and cycles give one too", () => {
  expect(layOut(family(30))).toEqual(layOut(family(30)));
  const circle = [
    { reference: "a", parents: ["b"] },
    { reference: "b", parents: ["a"] },
    { reference: "c", parents: ["c"] },
  ];
  expect(layOut(circle).size).toBe(3);
});

test("a merge stands under its first known parent", () => {
  const points = layOut([
    { reference: "a", parents: [] },
    { reference: "b", parents: [] },
    { reference: "m", parents: ["gone", "b", "a"] },
  ]);
  const [m, b] = [points.get("m"), points.get("b")];
  expect(Math.hypot((m?.x ?? 0) - (b?.x ?? 0), (m?.y ?? 0) - (b?.y ?? 0))).toBeCloseTo(2.4, 6);
});
