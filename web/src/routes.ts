// Which page an address names.

import type { ModelTab } from "./format/reference";

export type Route =
  | { page: "overview" }
  | { page: "models" }
  | { page: "model"; reference: string; tab: ModelTab }
  | { page: "atlas" }
  | { page: "diff" }
  | { page: "study" }
  | { page: "crawls" }
  | { page: "settings" }
  | { page: "missing"; path: string };

const TABS: readonly string[] = ["versions", "family", "tensors", "card"];

export function matchRoute(pathname: string): Route {
  const parts = pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decode);
  const [first, hub, owner, name, tab] = parts;
  if (parts.length === 0) return { page: "overview" };
  if (parts.length === 1 && isPlain(first)) return { page: first };
  const isTab = tab === undefined || TABS.includes(tab);
  if (first === "models" && hub && owner && name && isTab && parts.length <= 5) {
    return { page: "model", reference: `${hub}:${owner}/${name}`, tab: (tab ?? "summary") as ModelTab };
  }
  return { page: "missing", path: pathname };
}

type PlainPage = "models" | "atlas" | "diff" | "study" | "crawls" | "settings";
const PLAIN: readonly string[] = [
  "models",
  "atlas",
  "diff",
  "study",
  "crawls",
  "settings",
] satisfies PlainPage[];

function isPlain(name: string | undefined): name is PlainPage {
  return name !== undefined && PLAIN.includes(name);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
