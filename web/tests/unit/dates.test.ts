import { expect, test } from "vitest";
import { ago, duration, exact } from "../../src/format/dates";

const now = new Date("2026-11-24T12:00:00Z");

test.each([
  ["2026-11-24T11:59:30Z", "just now"],
  ["2026-11-24T11:58:00Z", "2 minutes ago"],
  ["2026-11-23T12:00:00Z", "yesterday"],
  ["2026-11-10T12:00:00Z", "2 weeks ago"],
  ["2024-11-24T12:00:00Z", "2 years ago"],
  ["2026-11-24T15:00:00Z", "in 3 hours"],
])("%s is %s", (date, expected) => expect(ago(new Date(date), now)).toBe(expected));

test("exact times are in UTC and say so", () => {
  expect(exact(new Date("2026-01-02T03:04:00Z"))).toBe("2 Jan 2026, 03:04 UTC");
});

test.each([
  [340, "0.3 s"],
  [42_000, "42 s"],
  [432_000, "7 min 12 s"],
  [3_840_000, "1 h 04 min"],
])("%d ms last %s", (milliseconds, expected) => expect(duration(milliseconds)).toBe(expected));
