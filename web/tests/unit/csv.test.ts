import { expect, test } from "vitest";
import { columns } from "../../src/format/columns";
import { modelsCsv } from "../../src/format/csv";
import { models } from "../mock/family";

test("one line a model, quoted where it must be, never a formula", () => {
  const [model] = models;
  if (!model) throw new Error("the fixtures hold a model");
  const odd = {
    ...model,
    parents: ["hf:a/b", "hf:c/d"],
    licence: '=cmd|"x",1',
    likes: -3,
    technique: null,
    failure: "line\nbreak",
  };
  const csv = modelsCsv([odd], columns);
  const [header, ...lines] = csv.split("\r\n");
  expect(header).toMatch(/^reference,head,relation/);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain(",hf:a/b hf:c/d,");
  expect(lines[0]).toContain(`"'=cmd|""x"",1"`);
  expect(lines[0]).toContain(",-3,");
  expect(lines[0]).toContain('"line\nbreak"');
});

test("only the columns chosen", () => {
  expect(modelsCsv([], ["likes", "changed"])).toBe("reference,head,likes,modified_at,failure\r\n");
});
