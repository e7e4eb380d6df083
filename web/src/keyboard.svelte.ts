// Keys that work on every page.

import { router } from "./router.svelte";

class Help {
  open = $state(false);
}
export const help = new Help();

export const shortcuts: readonly [keys: string, meaning: string][] = [
  ["/", "Search models"],
  ["j  k", "Next or previous row"],
  ["Enter", "Open the row"],
  ["g o", "Go to Overview"],
  ["g m", "Go to Models"],
  ["g a", "Go to Atlas"],
  ["g d", "Go to Diff"],
  ["g y", "Go to Study"],
  ["g c", "Go to Crawls"],
  ["g s", "Go to Settings"],
  ["?", "Show these keys"],
];

const PLACES: Record<string, string> = {
  o: "/",
  m: "/models",
  a: "/atlas",
  d: "/diff",
  y: "/study",
  c: "/crawls",
  s: "/settings",
};

export function listenForShortcuts(): () => void {
  let afterG = false;
  function onKey(event: KeyboardEvent) {
    if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
    const place = afterG ? PLACES[event.key] : undefined;
    afterG = event.key === "g";
    if (place !== undefined) return act(event, () => router.go(place));
    if (event.key === "?") return act(event, () => (help.open = !help.open));
    if (event.key === "/") return act(event, focusSearch);
    if (event.key === "j") return act(event, () => moveRow(1));
    if (event.key === "k") return act(event, () => moveRow(-1));
  }
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}

function act(event: KeyboardEvent, action: () => void): void {
  event.preventDefault();
  action();
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

function focusSearch(): void {
  const search = document.querySelector<HTMLInputElement>("main input[type=search]");
  if (search) return search.select();
  router.go("/models");
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>("main input[type=search]")?.focus());
}

/** Rows are links, so Enter and every screen reader already know what to do with the one that has the focus. */
export function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = at < 0 ? rows[step === 1 ? 0 : rows.length - 1] : rows[at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
