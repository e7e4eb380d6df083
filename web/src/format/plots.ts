// Scales of the study's plots: values in, places on a drawing out.

/** A logarithmic axis from one to `most`, over `length` pixels. */
export function logarithmic(most: number, length: number): (value: number) => number {
  const span = Math.log(Math.max(2, most));
  return (value) => (Math.log(Math.max(1, value)) / span) * length;
}

/** 1, 10, 100, … up to `most`. */
export function decades(most: number): number[] {
  const marks = [];
  for (let mark = 1; mark <= most; mark *= 10) marks.push(mark);
  return marks;
}

export interface Slice {
  /** Which part of the column it is. */
  part: number;
  y: number;
  height: number;
}

/** The parts of a column that stands on `foot`, the first at the bottom. */
export function stack(parts: readonly number[], foot: number, scale: number): Slice[] {
  let top = foot;
  return parts.map((value, part) => {
    const height = value * scale;
    top -= height;
    return { part, y: top, height };
  });
}
