// What a webhook watches, as people type it: nothing for everything, `hf:` a hub, `hf:owner`, `hf:owner/name`.

export interface Watched {
  hub?: string | null;
  owner?: string | null;
  name?: string | null;
}

const SHAPE = /^([a-z][a-z0-9-]*):(?:([^/@\s:]+)(?:\/([^/@\s]+))?)?$/;

/** `null` for what is none of the four. */
export function parseWatched(text: string): Watched | null {
  if (text.trim() === "") return {};
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const [, hub = "", owner, name] = match;
  return { hub, ...(owner && { owner }), ...(name && { name }) };
}

export function formatWatched({ hub, owner, name }: Watched): string {
  if (!hub) return owner ?? "";
  return `${hub}:${[owner, name].filter(Boolean).join("/")}`;
}
