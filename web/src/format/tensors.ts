// Tensor names as places in a network: which layer, which role.

export interface Place {
  /** `model.layers` of `model.layers.3.self_attn.q_proj.weight`; `null` outside any numbered layer. */
  stack: string | null;
  layer: number | null;
  /** What is left: `self_attn.q_proj.weight`. */
  role: string;
}

/** The first number in a dotted name is its layer: `layers.3.…`, or else the 1 of `conv1.weight`. */
export function placeOf(name: string): Place {
  const parts = name.split(/[./]/);
  const index = parts.findIndex((part) => /^\d+$/.test(part));
  if (index < 0) return numberedPlace(parts) ?? { stack: null, layer: null, role: name };
  return {
    stack: parts.slice(0, index).join("."),
    layer: Number(parts[index]),
    role: parts.slice(index + 1).join(".") || "value",
  };
}

function numberedPlace(parts: readonly string[]): Place | null {
  for (const [index, part] of parts.entries()) {
    const [, word, number] = /^(.*[a-z])_?(\d+)$/i.exec(part) ?? [];
    if (word === undefined || index === parts.length - 1) continue;
    const stack = [...parts.slice(0, index), word].join(".");
    return { stack, layer: Number(number), role: parts.slice(index + 1).join(".") };
  }
  return null;
}

export interface HeatColumn {
  stack: string | null;
  layer: number | null;
}

export interface HeatMap<T> {
  /** Roles, in the order in which the file has them. */
  rows: string[];
  /** Layers, stack by stack; then one column for all tensors outside any layer. */
  columns: HeatColumn[];
  cells: { row: number; column: number; tensor: T }[];
}

export function heatMap<T extends { name: string }>(tensors: readonly T[]): HeatMap<T> {
  const placed = tensors.map((tensor) => ({ tensor, place: placeOf(tensor.name) }));
  const stacks = [...new Set(placed.map(({ place }) => place.stack))];
  const key = ({ stack, layer }: HeatColumn) => `${stack ?? ""}/${layer ?? ""}`;
  const rank = ({ stack }: HeatColumn) => (stack === null ? stacks.length : stacks.indexOf(stack));

  const byKey = new Map(
    placed.map(({ place: { stack, layer } }) => [key({ stack, layer }), { stack, layer }]),
  );
  const columns = [...byKey.values()].sort((a, b) => rank(a) - rank(b) || (a.layer ?? 0) - (b.layer ?? 0));
  const rows = [...new Set(placed.map(({ place }) => place.role))];

  const columnOf = new Map(columns.map((column, index) => [key(column), index]));
  const rowOf = new Map(rows.map((row, index) => [row, index]));
  const cells = placed.map(({ tensor, place }) => ({
    row: rowOf.get(place.role) ?? 0,
    column: columnOf.get(key(place)) ?? 0,
    tensor,
  }));
  return { rows, columns, cells };
}

/** Runs of columns of one stack, to label them once. */
export function stackSpans(
  columns: readonly HeatColumn[],
): { stack: string | null; start: number; length: number }[] {
  const spans: { stack: string | null; start: number; length: number }[] = [];
  columns.forEach(({ stack }, index) => {
    const last = spans.at(-1);
    if (last && last.stack === stack) last.length += 1;
    else spans.push({ stack, start: index, length: 1 });
  });
  return spans;
}

/** Position of a relative change on a logarithmic scale from 1e-6 (0) to 1 (1); `null` for no change at all. */
export function heat(relative: number | null): number | null {
  if (relative === null || relative <= 0) return null;
  return Math.min(1, Math.max(0, 1 + Math.log10(relative) / 6));
}
