// Sizes of differences by powers of two, as `heirloom diff` counts them.

import type { Histogram } from "../api/types";

/** The sum of `histograms`, from the smallest power of two that any of them has to the largest. */
export function addHistograms(histograms: readonly Histogram[]): Histogram {
  const filled = histograms.filter(({ counts }) => counts.length > 0);
  const pairs = histograms.reduce((sum, { pairs }) => sum + pairs, 0);
  if (filled.length === 0) return { lowest: 0, counts: [], pairs };
  const lowest = Math.min(...filled.map(({ lowest }) => lowest));
  const end = Math.max(...filled.map(({ lowest, counts }) => lowest + counts.length));
  const counts = new Array<number>(end - lowest).fill(0);
  for (const histogram of filled)
    histogram.counts.forEach((count, index) => (counts[histogram.lowest - lowest + index]! += count));
  return { lowest, counts, pairs };
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** 2⁻¹² */
export function exponent(power: number): string {
  const digits = [...String(Math.abs(power))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return `2${power < 0 ? "⁻" : ""}${digits}`;
}
