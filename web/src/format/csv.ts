// Models as comma-separated values (RFC 4180), for a spreadsheet.

import type { ModelSummary } from "../api/types";
import type { Column } from "./columns";

type Field = keyof ModelSummary;

/** What each column of the table says, as fields of its own. */
const FIELDS: Record<Column, readonly Field[]> = {
  derivation: ["relation", "technique", "parents"],
  verdict: ["verdict"],
  version: ["version"],
  parameters: ["parameters"],
  licence: ["licence"],
  downloads: ["downloads"],
  likes: ["likes"],
  task: ["task"],
  library: ["library"],
  architecture: ["architecture"],
  revisions: ["revisions"],
  silent: ["silent_changes"],
  created: ["created_at"],
  changed: ["modified_at"],
};

/** Each model by its reference and newest revision, then the columns chosen. */
export function modelsCsv(models: readonly ModelSummary[], columns: readonly Column[]): string {
  const fields: Field[] = ["reference", "head", ...columns.flatMap((column) => FIELDS[column]), "failure"];
  const rows = models.map((model) => fields.map((field) => cell(model[field])).join(","));
  return [fields.join(","), ...rows, ""].join("\r\n");
}

function cell(value: string | number | boolean | readonly string[] | null): string {
  const text = value === null ? "" : Array.isArray(value) ? value.join(" ") : String(value);
  // Names come from strangers: a spreadsheet must not take one for a formula.
  const safe = typeof value !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
