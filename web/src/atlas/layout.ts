// Where each model of the catalogue stands: every family a radial tree, families packed by size, loners around them.
//
// Enters: models and their parents. Leaves: coordinates. Deterministic and near linear, so that 100,000 models take a moment and
// a reload shows the same map.

import { packSiblings } from "d3-hierarchy";

export interface Member {
  reference: string;
  parents: readonly string[];
}

export interface Point {
  x: number;
  y: number;
}

const SPACING = 1;
const RING = 2.4;
const FAMILY_MARGIN = 1.5;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

export function layOut(members: readonly Member[]): Map<string, Point> {
  const known = new Set(members.map(({ reference }) => reference));
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  for (const { reference, parents } of members) {
    const parent = parents.find((candidate) => known.has(candidate) && candidate !== reference);
    if (parent === undefined) roots.push(reference);
    else if (!children.get(parent)?.push(reference)) children.set(parent, [reference]);
  }

  const families = roots.filter((root) => children.has(root)).map((root) => radialTree(root, children));
  families.sort((a, b) => b.radius - a.radius || a.root.localeCompare(b.root, "en"));
  const circles = families.map(({ radius }) => ({ r: radius + FAMILY_MARGIN, x: 0, y: 0 }));
  packSiblings(circles);

  const points = new Map<string, Point>();
  let reach = 0;
  families.forEach((family, index) => {
    const { x = 0, y = 0, r = 0 } = circles[index] ?? {};
    reach = Math.max(reach, Math.hypot(x, y) + r);
    for (const [reference, point] of family.points) points.set(reference, { x: x + point.x, y: y + point.y });
  });
  placeLoners(
    members.map(({ reference }) => reference).filter((reference) => !points.has(reference)),
    reach,
    points,
  );
  return points;
}

interface Family {
  root: string;
  radius: number;
  points: Map<string, Point>;
}

/** Generations on rings; a subtree gets an angle in proportion to its leaves, and a ring the room that its members need. */
function radialTree(root: string, children: ReadonlyMap<string, string[]>): Family {
  const generations = byGeneration(root, children);
  const leaves = new Map<string, number>();
  for (const generation of generations.toReversed()) {
    for (const reference of generation) {
      const below = children.get(reference) ?? [];
      leaves.set(
        reference,
        Math.max(
          1,
          below.reduce((sum, child) => sum + (leaves.get(child) ?? 0), 0),
        ),
      );
    }
  }

  const points = new Map<string, Point>([[root, { x: 0, y: 0 }]]);
  const total = leaves.get(root) ?? 1;
  const start = new Map([[root, 0]]);
  let radius = 0;
  generations.forEach((generation, depth) => {
    if (depth > 0) radius = Math.max(radius + RING, (generation.length * SPACING) / (2 * Math.PI));
    for (const reference of generation) {
      const from = start.get(reference) ?? 0;
      const angle = (2 * Math.PI * (from + (leaves.get(reference) ?? 1) / 2)) / total;
      if (depth > 0) points.set(reference, { x: radius * Math.cos(angle), y: radius * Math.sin(angle) });
      let next = from;
      for (const child of children.get(reference) ?? []) {
        start.set(child, next);
        next += leaves.get(child) ?? 1;
      }
    }
  });
  return { root, radius, points };
}

function byGeneration(root: string, children: ReadonlyMap<string, string[]>): string[][] {
  const generations: string[][] = [];
  for (let generation = [root]; generation.length > 0;) {
    generations.push(generation);
    generation = generation.flatMap((reference) => children.get(reference) ?? []);
  }
  return generations;
}

/** Models without relatives, as the seeds of a sunflower around the families. */
function placeLoners(loners: readonly string[], reach: number, points: Map<string, Point>): void {
  const first = (reach / SPACING) ** 2;
  loners.forEach((reference, index) => {
    const radius = SPACING * Math.sqrt(first + 2 * index + 1) * 1.02;
    const angle = index * GOLDEN_ANGLE;
    points.set(reference, { x: radius * Math.cos(angle), y: radius * Math.sin(angle) });
  });
}
