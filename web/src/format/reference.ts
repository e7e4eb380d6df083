// References (`hf:owner/name[@revision]`) and the addresses of their pages.

export interface Reference {
  hub: string;
  owner: string;
  name: string;
  revision: string | null;
}

const SHAPE = /^([a-z][a-z0-9-]*):([^/@\s]+)\/([^/@\s]+)(?:@(\S+))?$/;

/** `null` for anything that is not a whole reference, a half-typed one included. */
export function parseReference(text: string): Reference | null {
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const [, hub = "", owner = "", name = "", revision] = match;
  return { hub, owner, name, revision: revision ?? null };
}

export function formatReference({ hub, owner, name, revision }: Reference): string {
  return `${hub}:${owner}/${name}${revision === null ? "" : `@${revision}`}`;
}

export function withRevision(reference: string, revision: string): string {
  return `${withoutRevision(reference)}@${revision}`;
}

export function withoutRevision(reference: string): string {
  const parsed = parseReference(reference);
  return parsed ? formatReference({ ...parsed, revision: null }) : reference;
}

/** `owner/name`: what a person calls the model once its hub is plain. */
export function fullName(reference: string): string {
  const parsed = parseReference(reference);
  return parsed ? `${parsed.owner}/${parsed.name}` : reference;
}

/** Hub revisions are long hex digests; anything else (a tag, a branch) is already short. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{12,}$/i.test(revision) ? revision.slice(0, 8) : revision;
}

export function shortReference(reference: string): string {
  const parsed = parseReference(reference);
  if (!parsed?.revision) return reference;
  return formatReference({ ...parsed, revision: shortRevision(parsed.revision) });
}

export type ModelTab = "summary" | "versions" | "family" | "tensors" | "card";

export function modelHref(reference: string, tab: ModelTab = "summary"): string {
  const parsed = parseReference(reference);
  if (!parsed) return `/models?search=${encodeURIComponent(reference)}`;
  const path = ["models", parsed.hub, parsed.owner, parsed.name, ...(tab === "summary" ? [] : [tab])];
  return `/${path.map(encodeURIComponent).join("/")}`;
}

export function diffHref(a: string, b: string): string {
  return `/diff?${new URLSearchParams({ a, b })}`;
}

/** The model's path under the API's `/models`. */
export function apiPath(reference: string): string {
  const parsed = parseReference(reference);
  if (!parsed) throw new Error(`not a reference: ${reference}`);
  return [parsed.hub, parsed.owner, parsed.name].map(encodeURIComponent).join("/");
}
