// The columns of the table of models, and the choice of them: in an address, or else as this browser last had it.

export const columnNames = {
  derivation: "Derivation",
  verdict: "Declared base",
  version: "Version",
  parameters: "Parameters",
  licence: "Licence",
  downloads: "Downloads",
  likes: "Likes",
  task: "Task",
  library: "Library",
  architecture: "Architecture",
  revisions: "Revisions",
  silent: "Silent changes",
  created: "Created",
  changed: "Changed",
} as const;

export type Column = keyof typeof columnNames;

export const columns = Object.keys(columnNames) as Column[];

export const defaultColumns: readonly Column[] = [
  "derivation",
  "verdict",
  "version",
  "parameters",
  "changed",
];

const STORED_AS = "columns";

/** `null` is an address that says nothing of columns; unknown names are left out. */
export function parseColumns(text: string | null): readonly Column[] | null {
  if (text === null) return null;
  const wanted = text.split(",");
  return columns.filter((column) => wanted.includes(column));
}

/** Empty for the usual columns, so that the usual address stays short. */
export function formatColumns(chosen: readonly Column[]): string {
  const ordered = columns.filter((column) => chosen.includes(column));
  return ordered.join() === defaultColumns.join() ? "" : ordered.join() || "name";
}

export function rememberedColumns(): readonly Column[] {
  return parseColumns(localStorage.getItem(STORED_AS)) ?? defaultColumns;
}

export function rememberColumns(chosen: readonly Column[]): void {
  const text = formatColumns(chosen);
  if (text === "") localStorage.removeItem(STORED_AS);
  else localStorage.setItem(STORED_AS, text);
}
