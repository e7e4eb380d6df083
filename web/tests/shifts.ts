// How far what a page shows jumps while it fills (cumulative layout shift).

import { expect, type Page } from "@playwright/test";

declare global {
  interface Window {
    shift: number;
    moved: string[];
  }
}

/** From the next page on. */
export async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.shift = 0;
    window.moved = [];
    type Shift = PerformanceEntry & {
      value: number;
      hadRecentInput: boolean;
      sources: { node: Node | null }[];
    };
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as Shift[]) {
        if (entry.hadRecentInput) continue;
        window.shift += entry.value;
        const nodes = entry.sources.map(({ node }) => (node instanceof Element ? node.outerHTML : ""));
        window.moved.push(`${entry.value.toFixed(3)} ${nodes.map((html) => html.slice(0, 90)).join(" | ")}`);
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

/** What Web Vitals calls good. */
export async function expectStill(page: Page): Promise<void> {
  const { shift, moved } = await page.evaluate(() => ({ shift: window.shift, moved: window.moved }));
  expect(shift, moved.join("\n")).toBeLessThan(0.1);
}
