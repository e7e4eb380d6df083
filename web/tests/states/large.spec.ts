// A map of 100,000 models: it is drawn, moved over and asked. How many frames a second that makes is reported, not judged: it
// depends on the machine, and on whether it has a graphics card.

import { expect, test } from "@playwright/test";
import type { AtlasModel, Relation, Verdict } from "../../src/api/types";

const MODELS = 100_000;
const BASES = 299;

/** Most models descend from few bases, as on the hubs: the children of a base fall off as 1 / rank. */
function generate(): AtlasModel[] {
  let state = 7;
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const relations: Relation[] = [
    "finetune",
    "finetune",
    "finetune",
    "adapter",
    "quantized",
    "quantized",
    "merge",
  ];
  const verdicts: (Verdict | null)[] = ["confirmed", "confirmed", "confirmed", "undeclared", "contradicted"];
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const start = Date.parse("2022-01-01T00:00:00Z");
  return Array.from({ length: MODELS }, (_, index): AtlasModel => {
    const lone = index < BASES || random() < 0.2;
    const base = Math.floor(BASES ** random());
    const parent = random() < 0.75 ? base : Math.min(index - 1, base + BASES * Math.floor(1 + random() * 40));
    return {
      id: index + 1,
      reference: `hf:lab${index % 977}/model-${index}`,
      created_at: new Date(start + index * 1_260_000).toISOString(),
      relation: lone ? null : pick(relations),
      verdict: lone ? null : pick(verdicts),
      parents: lone ? [] : [parent + 1],
    };
  });
}

// Without a graphics card every pixel is worked out by the processor.
test.use({ viewport: { width: 800, height: 600 } });

test("100,000 models are drawn, moved over, filtered and asked", async ({ page }) => {
  test.setTimeout(480_000);
  const models = generate();
  await page.route(/v1\/atlas/, (route) => {
    const query = new URL(route.request().url()).searchParams;
    const from = Number(query.get("cursor") ?? 0);
    const to = from + Number(query.get("limit"));
    const next = to < MODELS ? String(to) : null;
    return route.fulfill({ json: { items: models.slice(from, to), next, total: MODELS } });
  });
  const began = Date.now();
  await page.goto("/atlas");
  await expect(page.getByText("100,000 models", { exact: true })).toBeVisible({ timeout: 240_000 });
  const drawn = Date.now() - began;

  const frames = page.evaluate(
    () =>
      new Promise<{ frames: number; longest: number }>((resolve) => {
        let [frames, longest, last] = [0, 0, performance.now()];
        const end = last + 6000;
        requestAnimationFrame(function count(now) {
          frames += 1;
          longest = Math.max(longest, now - last);
          last = now;
          if (now < end) requestAnimationFrame(count);
          else resolve({ frames, longest });
        });
      }),
  );
  const map = await page.locator(".stage").boundingBox();
  if (!map) throw new Error("the map has no place");
  await page.mouse.move(map.x + map.width / 2, map.y + map.height / 2);
  await page.mouse.down();
  for (let step = 1; step <= 8; step += 1)
    await page.mouse.move(map.x + map.width / 2 + step * 8, map.y + 200);
  await page.mouse.up();
  await page.mouse.wheel(0, -300);
  const { frames: count, longest } = await frames;
  const said = `${MODELS} models: drawn ${drawn} ms after the address was opened; ${(count / 6).toFixed(1)} frames a second while moved, longest frame ${Math.round(longest)} ms`;
  test.info().annotations.push({ type: "measured", description: said });
  console.log(said);

  await page.getByLabel("Verdict on the declared base").selectOption("contradicted");
  await expect(page.getByText(/^[\d,]+ of 100,000 models$/)).toBeVisible({ timeout: 120_000 });
});
