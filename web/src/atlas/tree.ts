// One family as a tree on its side: generations from left to right, children under one another in front of their parent.
//
// Enters: the rows of a family. Leaves: places of models, the lines between them, and what of a large brood was left out.

import { hierarchy, tree } from "d3-hierarchy";
import type { Edge, Lineage, LineageNode } from "../api/types";
import { familyRows } from "../family";

export const COLUMN = 320;
export const ROW = 30;
/** Of more children than these the rest is shown on demand. */
const MOST_CHILDREN = 20;

export interface TreeModel {
  node: LineageNode;
  edge: Edge | null;
  /** Some of what was made from it stands to its right. */
  parent: boolean;
  x: number;
  y: number;
}

/** Stands for the children of `parent` that are left out. */
export interface TreeRest {
  parent: string;
  left: number;
  x: number;
  y: number;
}

export interface TreeLine {
  child: string;
  edge: Edge;
  /** Another parent of a merge than the one it is placed under. */
  second: boolean;
  from: { x: number; y: number };
  to: { x: number; y: number };
}

export interface FamilyDrawing {
  models: TreeModel[];
  rests: TreeRest[];
  lines: TreeLine[];
  width: number;
  height: number;
}

interface Item {
  key: string;
  node: LineageNode | null;
  edge: Edge | null;
  left: number;
  children: Item[];
}

/** `unfolded` are the models all of whose children are shown. */
export function drawFamily(family: Lineage, unfolded: ReadonlySet<string>): FamilyDrawing {
  const laid = tree<Item>()
    .nodeSize([ROW, COLUMN])
    .separation(() => 1)(hierarchy(grow(family, unfolded)));
  const placed = laid.descendants().filter(({ depth }) => depth > 0);
  const top = Math.min(...placed.map(({ x }) => x));
  const at = new Map(
    placed.map(({ data, x, depth }) => [data.key, { x: (depth - 1) * COLUMN, y: x - top + ROW / 2 }]),
  );

  const [models, rests, lines]: [TreeModel[], TreeRest[], TreeLine[]] = [[], [], []];
  for (const { data, parent } of placed) {
    const here = at.get(data.key);
    if (!here) continue;
    if (!data.node) {
      rests.push({ parent: parent?.data.key ?? "", left: data.left, ...here });
      continue;
    }
    models.push({ node: data.node, edge: data.edge, parent: data.children.length > 0, ...here });
    for (const reference of data.edge?.parents ?? []) {
      const from = at.get(reference);
      const second = reference !== parent?.data.key;
      if (data.edge && from) lines.push({ child: data.key, edge: data.edge, second, from, to: here });
    }
  }
  const width = Math.max(...placed.map(({ depth }) => depth)) * COLUMN;
  const height = Math.max(...placed.map(({ x }) => x)) - top + ROW;
  return { models, rests, lines, width, height };
}

/** The family under one root that is not drawn: a family may have several founders. */
function grow(family: Lineage, unfolded: ReadonlySet<string>): Item {
  const all: Item = { key: "", node: null, edge: null, left: 0, children: [] };
  const path = [all];
  for (const { node, edge, depth } of familyRows(family)) {
    const item: Item = { key: node.reference, node, edge, left: 0, children: [] };
    path.length = depth + 1;
    path.at(-1)?.children.push(item);
    path.push(item);
  }
  fold(all, family.root, unfolded);
  return all;
}

function fold(item: Item, kept: string, unfolded: ReadonlySet<string>): void {
  for (const child of item.children) fold(child, kept, unfolded);
  if (item.key === "" || unfolded.has(item.key) || item.children.length <= MOST_CHILDREN + 1) return;
  const holds = (child: Item): boolean => child.key === kept || child.children.some(holds);
  const alike = (child: Item) =>
    item.children.filter(({ edge }) => edge?.relation === child.edge?.relation).length;
  // Those that have children of their own say most, then those that came about as few others did.
  const ranked = [...item.children].sort(
    (a, b) =>
      Number(holds(b)) - Number(holds(a)) ||
      b.children.length - a.children.length ||
      alike(a) - alike(b) ||
      a.key.localeCompare(b.key, "en"),
  );
  const shown = new Set(ranked.slice(0, MOST_CHILDREN));
  const left = item.children.length - shown.size;
  item.children = item.children.filter((child) => shown.has(child));
  item.children.push({ key: `${item.key} rest`, node: null, edge: null, left, children: [] });
}
