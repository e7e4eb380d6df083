// A family as rows to draw: each model under its first parent, oldest ancestors first.

import type { Edge, Lineage, LineageNode } from "./api/types";

export interface FamilyRow {
  node: LineageNode;
  /** How the model came from its parents; `null` for a root. */
  edge: Edge | null;
  depth: number;
  /** For each ancestor column left of the elbow: does a line run on to a later sibling? */
  guides: boolean[];
  /** The last child of its parent: its elbow ends the line. */
  last: boolean;
  /** The first descendant hangs below this row. */
  hasChildren: boolean;
  /** Parents of a merge beyond the one that this row hangs under. */
  otherParents: string[];
}

export function familyRows({ nodes, edges }: Lineage): FamilyRow[] {
  const known = new Map(nodes.map((node) => [node.reference, node]));
  const edgeOf = new Map(edges.map((edge) => [edge.child, edge]));
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  for (const node of nodes) {
    const parent = edgeOf.get(node.reference)?.parents.find((reference) => known.has(reference));
    if (parent === undefined) roots.push(node.reference);
    else if (!children.get(parent)?.push(node.reference)) children.set(parent, [node.reference]);
  }

  const rows: FamilyRow[] = [];
  const placed = new Set<string>();
  const place = (reference: string, depth: number, guides: boolean[], last: boolean) => {
    const node = known.get(reference);
    // The service promises no cycles; a page must not hang when one gets through.
    if (!node || placed.has(reference)) return;
    placed.add(reference);
    const below = (children.get(reference) ?? []).sort(byName);
    const edge = edgeOf.get(reference) ?? null;
    const under = edge?.parents.find((parent) => known.has(parent));
    const otherParents = edge?.parents.filter((parent) => parent !== under) ?? [];
    rows.push({ node, edge, depth, guides, last, hasChildren: below.length > 0, otherParents });
    const inner = depth === 0 ? [] : [...guides, !last];
    below.forEach((child, index) => place(child, depth + 1, inner, index === below.length - 1));
  };
  for (const root of roots.sort(byName)) place(root, 0, [], true);
  return rows;
}

function byName(a: string, b: string): number {
  return a.localeCompare(b, "en");
}
