// What a model card may do to a reader: show text and link out.

/** Only links that lead to the web; `javascript:`, `data:` and relative ones lead nowhere. */
export function safeLink(href: string): string | null {
  return /^https?:\/\//i.test(href.trim()) ? href.trim() : null;
}

const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  "#39": "'",
  nbsp: "\u00a0",
};

/** Character references become the characters; the result is set as text. */
export function plainText(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}
