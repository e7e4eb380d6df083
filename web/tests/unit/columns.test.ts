import { expect, test } from "vitest";
import { columns, defaultColumns, formatColumns, parseColumns } from "../../src/format/columns";

test("a choice of columns survives its address", () => {
  for (const chosen of [columns, ["likes"], []] as const)
    expect(parseColumns(formatColumns(chosen))).toEqual(chosen);
  expect(formatColumns(defaultColumns)).toBe("");
  expect(parseColumns(null)).toBeNull();
  expect(parseColumns("changed,nonsense,version")).toEqual(["version", "changed"]);
});
