import { expect, test } from "vitest";
import { plainText, safeLink } from "../../src/format/markdown";

test.each(["https://example.org/a", "http://example.org"])("%s may be followed", (href) =>
  expect(safeLink(href)).toBe(href),
);

test.each([
  "javascript:alert(1)",
  " JavaScript:alert(1)",
  "data:text/html,x",
  "/models",
  "vbscript:x",
  "java\nscript:x",
  "",
])("%j leads nowhere", (href) => expect(safeLink(href)).toBeNull());

test("character references become characters, once", () => {
  expect(plainText("a &lt;b&gt; &amp;amp; &copy;")).toBe("a <b> &amp; &copy;");
});
