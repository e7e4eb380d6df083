// Which points of a map are in sight: a grid over all of them, so that a close view looks at few.

/** Side of the grid, in cells. */
const CELLS = 128;

/** The part of the graph in sight, in its own coordinates. */
export interface View {
  left: number;
  right: number;
  bottom: number;
  top: number;
}

/** Points by the square they lie in, each square in the order of importance. */
export class Grid {
  readonly #cells = new Map<number, number[]>();
  readonly #byImportance: Uint32Array;
  readonly #points: Float32Array;
  readonly #sizes: readonly number[];
  readonly #left: number;
  readonly #bottom: number;
  readonly #side: number;

  /** `sizes` say how important each point is. */
  constructor(points: Float32Array, sizes: readonly number[]) {
    this.#points = points;
    this.#sizes = sizes;
    this.#byImportance = Uint32Array.from(sizes.keys()).sort((a, b) => this.#compare(a, b));
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let at = 0; at < points.length; at += 2) {
      const [x, y] = [points[at] ?? 0, points[at + 1] ?? 0];
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [bottom, top] = [Math.min(bottom, y), Math.max(top, y)];
    }
    this.#left = left;
    this.#bottom = bottom;
    this.#side = Math.max(right - left, top - bottom, 1e-6) / CELLS;
    for (const index of this.#byImportance) {
      const cell = this.#row(points[2 * index + 1] ?? 0) * CELLS + this.#column(points[2 * index] ?? 0);
      const members = this.#cells.get(cell);
      if (members) members.push(index);
      else this.#cells.set(cell, [index]);
    }
  }

  /** Points in sight, most important first, at most `most`. */
  within(view: View, most: number, hidden: Uint8Array): number[] {
    const rows = [this.#row(view.bottom), this.#row(view.top)] as const;
    const columns = [this.#column(view.left), this.#column(view.right)] as const;
    const cells = (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1);
    const inView = (index: number) => {
      const [x, y] = [this.#points[2 * index] ?? 0, this.#points[2 * index + 1] ?? 0];
      return x >= view.left && x <= view.right && y >= view.bottom && y <= view.top;
    };
    const found: number[] = [];
    // A view of much of the map has its most important points near the front of the whole list.
    if (cells > (CELLS * CELLS) / 16) {
      for (const index of this.#byImportance) {
        if (found.length >= most) break;
        if (hidden[index] === 0 && inView(index)) found.push(index);
      }
      return found;
    }
    for (let row = rows[0]; row <= rows[1]; row += 1)
      for (let column = columns[0]; column <= columns[1]; column += 1)
        for (const index of this.#cells.get(row * CELLS + column) ?? [])
          if (hidden[index] === 0 && inView(index)) found.push(index);
    return found.sort((a, b) => this.#compare(a, b)).slice(0, most);
  }

  #compare(a: number, b: number): number {
    return (this.#sizes[b] ?? 0) - (this.#sizes[a] ?? 0) || a - b;
  }

  #row(y: number): number {
    return Math.min(CELLS - 1, Math.max(0, Math.floor((y - this.#bottom) / this.#side)));
  }

  #column(x: number): number {
    return Math.min(CELLS - 1, Math.max(0, Math.floor((x - this.#left) / this.#side)));
  }
}
