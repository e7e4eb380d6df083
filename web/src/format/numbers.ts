// Numbers as a person reads them: few digits, one unit, the same width class everywhere.

const GROUPED = new Intl.NumberFormat("en");

/** `12,345` */
export function count(value: number): string {
  return GROUPED.format(value);
}

/** `3 tensors`, `1 tensor` */
export function counted(value: number, singular: string, plural = `${singular}s`): string {
  return `${count(value)} ${value === 1 ? singular : plural}`;
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let size = Math.abs(value);
  let unit = 0;
  // 999.6 would round to 1000 of the smaller unit.
  while (size >= step - 0.5 && unit < units.length - 1) {
    size /= step;
    unit += 1;
  }
  const digits = unit === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(size)));
  const sign = value < 0 ? "−" : "";
  return `${sign}${size
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "")}${units[unit]}`;
}

/** `7.24B` parameters, `1.3M` downloads */
export function compact(value: number): string {
  return scaled(value, 1000, ["", "K", "M", "B", "T"]);
}

/** `13.5 GB`: decimal units, as the hubs give sizes. */
export function bytes(value: number): string {
  return scaled(value, 1000, [" B", " kB", " MB", " GB", " TB"]);
}

/** A measurement to three significant digits: `0.0312`, `1.57`, `4.2e−7`. */
export function measure(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return count(value).replace("-", "−");
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6)
    return value
      .toExponential(2)
      .replace(/\.?0+e/, "e")
      .replaceAll("-", "−")
      .replace("+", "");
  if (size >= 1000) return count(Math.round(value)).replace("-", "−");
  return String(Number(value.toPrecision(size < 1 ? digitsBelowOne(size) : 3))).replace("-", "−");
}

/** Three, or as many as it takes not to round to one: a cosine of 0.99997 is not 1. */
function digitsBelowOne(size: number): number {
  return Math.min(15, Math.max(3, 1 + Math.ceil(-Math.log10(1 - size))));
}

/** A share of one: `0%`, `12.5%`, `<0.01%`, and 100% only for all of it. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0001) return "<0.01%";
  if (share < 1 && share > 0.9999) return ">99.99%";
  return `${Number((share * 100).toPrecision(share >= 0.995 ? 4 : 3))}%`;
}

/** `4096 × 11008`; a scalar has no dimensions. */
export function shape(dimensions: readonly number[]): string {
  return dimensions.length === 0 ? "scalar" : dimensions.join(" × ");
}

export function elements(dimensions: readonly number[]): number {
  return dimensions.reduce((product, size) => product * size, 1);
}

/** Recovered parameters of a technique, on one line: `rank 8`, `sparsity 50%`, `coefficients 0.6, 0.4`. */
export function parameters(params: Record<string, unknown>): string {
  return Object.entries(params)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${parameter(value)}`)
    .join(" · ");
}

function parameter(value: unknown): string {
  if (typeof value === "number") return measure(value);
  if (Array.isArray(value)) return value.map(parameter).join(", ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, inner]) => `${name} ${parameter(inner)}`)
      .join(", ");
  }
  return String(value);
}
