// Models as comma-separated values (RFC 4180), for a spreadsheet.

import type { ModelSummary } from "../api/types";

const FIELDS = [
  "reference",
  "head",
  "version",
  "relation",
  "technique",
  "parents",
  "verdict",
  "parameters",
  "architecture",
  "task",
  "library",
  "licence",
  "downloads",
  "likes",
  "revisions",
  "silent_changes",
  "created_at",
  "modified_at",
  "failure",
] as const satisfies readonly (keyof ModelSummary)[];

export function modelsCsv(models: readonly ModelSummary[]): string {
  const rows = models.map((model) => FIELDS.map((field) => cell(model[field])).join(","));
  return [FIELDS.join(","), ...rows, ""].join("\r\n");
}

function cell(value: string | number | boolean | readonly string[] | null): string {
  const text = value === null ? "" : Array.isArray(value) ? value.join(" ") : String(value);
  // Names come from strangers: a spreadsheet must not take one for a formula.
  const safe = typeof value !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
