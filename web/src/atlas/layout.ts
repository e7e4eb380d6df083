// Where each model of the catalogue stands: every family a radial tree, families packed by size, loners around them.
//
// Enters: for each model the index of its parent, -1 for none. Leaves: x and y of each, in turn. Deterministic and near linear, so
// that 100,000 models take a moment and a reload shows the same map.

import { packSiblings } from "d3-hierarchy";

const SPACING = 1;
const RING = 2.4;
const FAMILY_MARGIN = 1.5;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

export function layOut(parentOf: Int32Array): Float32Array {
  const children = childrenOf(parentOf);
  const points = new Float32Array(2 * parentOf.length);
  const families: { members: number[]; radius: number }[] = [];
  const loners: number[] = [];
  const placed = new Uint8Array(parentOf.length);
  const begin = (root: number) => {
    if (children[root] === undefined) return void loners.push(root);
    families.push(placeFamily(root, children, points, placed));
  };
  for (let index = 0; index < parentOf.length; index += 1) if ((parentOf[index] ?? -1) < 0) begin(index);
  // The service promises no cycles; what hangs in one is still on the map.
  for (let index = 0; index < parentOf.length; index += 1)
    if ((parentOf[index] ?? -1) >= 0 && placed[index] === 0) loners.push(index);

  families.sort((a, b) => b.radius - a.radius || (a.members[0] ?? 0) - (b.members[0] ?? 0));
  const circles = families.map(({ radius }) => ({ r: radius + FAMILY_MARGIN, x: 0, y: 0 }));
  packSiblings(circles);
  let reach = 0;
  families.forEach(({ members }, index) => {
    const { x = 0, y = 0, r = 0 } = circles[index] ?? {};
    reach = Math.max(reach, Math.hypot(x, y) + r);
    for (const member of members) {
      points[2 * member] = (points[2 * member] ?? 0) + x;
      points[2 * member + 1] = (points[2 * member + 1] ?? 0) + y;
    }
  });
  placeLoners(loners, reach, points);
  return points;
}

function childrenOf(parentOf: Int32Array): (number[] | undefined)[] {
  const children: (number[] | undefined)[] = Array.from({ length: parentOf.length });
  parentOf.forEach((parent, child) => {
    if (parent < 0) return;
    const siblings = children[parent];
    if (siblings) siblings.push(child);
    else children[parent] = [child];
  });
  return children;
}

/** Generations on rings; a subtree gets an angle in proportion to its leaves, and a ring the room that its members need. */
function placeFamily(
  root: number,
  children: readonly (number[] | undefined)[],
  points: Float32Array,
  placed: Uint8Array,
): { members: number[]; radius: number } {
  const generations = byGeneration(root, children, placed);
  const leaves = new Map<number, number>();
  for (const generation of generations.toReversed())
    for (const member of generation) {
      const below = children[member] ?? [];
      leaves.set(
        member,
        Math.max(
          1,
          below.reduce((sum, child) => sum + (leaves.get(child) ?? 0), 0),
        ),
      );
    }

  const total = leaves.get(root) ?? 1;
  const start = new Map([[root, 0]]);
  let radius = 0;
  generations.forEach((generation, depth) => {
    if (depth > 0) radius = Math.max(radius + RING, (generation.length * SPACING) / (2 * Math.PI));
    for (const member of generation) {
      const from = start.get(member) ?? 0;
      const angle = (2 * Math.PI * (from + (leaves.get(member) ?? 1) / 2)) / total;
      if (depth > 0) {
        points[2 * member] = radius * Math.cos(angle);
        points[2 * member + 1] = radius * Math.sin(angle);
      }
      let next = from;
      for (const child of children[member] ?? []) {
        start.set(child, next);
        next += leaves.get(child) ?? 1;
      }
    }
  });
  return { members: generations.flat(), radius };
}

function byGeneration(
  root: number,
  children: readonly (number[] | undefined)[],
  placed: Uint8Array,
): number[][] {
  const generations: number[][] = [];
  for (let generation = [root]; generation.length > 0;) {
    for (const member of generation) placed[member] = 1;
    generations.push(generation);
    generation = generation.flatMap((member) => children[member] ?? []);
  }
  return generations;
}

/** Models without relatives, as the seeds of a sunflower around the families. */
function placeLoners(loners: readonly number[], reach: number, points: Float32Array): void {
  const first = (reach / SPACING) ** 2;
  loners.forEach((loner, index) => {
    const radius = SPACING * Math.sqrt(first + 2 * index + 1) * 1.02;
    const angle = index * GOLDEN_ANGLE;
    points[2 * loner] = radius * Math.cos(angle);
    points[2 * loner + 1] = radius * Math.sin(angle);
  });
}
