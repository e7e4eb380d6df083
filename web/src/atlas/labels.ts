// Which names of a map are written: the most important first, each only where it covers no other.
//
// Enters: points on the screen, most important first. Leaves: boxes that do not overlap.

export interface Candidate {
  node: string;
  x: number;
  y: number;
  /** Radius of the point: the name begins beside it. */
  size: number;
  width: number;
  /** Before the point rather than after it: its line comes from the other side. */
  before: boolean;
}

export interface Box {
  node: string;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const LABEL_HEIGHT = 16;
const GAP = 4;
/** Boxes are looked up by the strips of the screen they lie in. */
const STRIP = 64;
const MOST_LABELS = 140;

/** Up to so many points none is covered by a name; in a crowd there would be no room left. */
const MOST_DISCS = 400;

export function placeLabels(candidates: readonly Candidate[], width: number, height: number): Box[] {
  const placed: Box[] = [];
  const strips = new Map<number, Box[]>();
  const take = (box: Box) => {
    for (const row of rowsOf(box)) strips.set(row, [...(strips.get(row) ?? []), box]);
  };
  const inSight = ({ left, right, top, bottom }: Box) =>
    right >= 0 && left <= width && bottom >= 0 && top <= height;
  const isFree = (box: Box) =>
    !rowsOf(box).some((row) =>
      strips.get(row)?.some((other) => other.node !== box.node && overlap(box, other)),
    );
  if (candidates.length <= MOST_DISCS) candidates.map(discOf).forEach(take);
  for (const candidate of candidates) {
    if (placed.length >= MOST_LABELS) break;
    const other = { ...candidate, before: !candidate.before };
    const box = [candidate, other].map(boxOf).find((box) => inSight(box) && isFree(box));
    if (!box) continue;
    placed.push(box);
    take(box);
  }
  return placed;
}

function rowsOf({ top, bottom }: Box): number[] {
  return [...new Set([Math.floor(top / STRIP), Math.floor(bottom / STRIP)])];
}

function discOf({ node, x, y, size }: Candidate): Box {
  // A name may touch the rim of a point.
  const reach = size / 2;
  return { node, left: x - reach, top: y - reach, right: x + reach, bottom: y + reach };
}

function boxOf({ node, x, y, size, width, before }: Candidate): Box {
  const left = before ? x - size - GAP - width : x + size + GAP;
  return { node, left, top: y - LABEL_HEIGHT / 2, right: left + width, bottom: y + LABEL_HEIGHT / 2 };
}

export function overlap(a: Box, b: Box): boolean {
  return a.left < b.right + GAP && b.left < a.right + GAP && a.top < b.bottom && b.top < a.bottom;
}
