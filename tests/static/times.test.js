import assert from "node:assert/strict";
import { test } from "node:test";

import { toMilliseconds, toSeconds, toShort, zoneName } from "../../tracing_site/static/tracing_site/times.js";

test("a zone is named by its distance from UTC, east being positive", () => {
    assert.equal(zoneName(0), "UTC");
    assert.equal(zoneName(-120), "UTC+2");
    assert.equal(zoneName(210), "UTC-3:30");
    assert.equal(zoneName(-345), "UTC+5:45");
    assert.equal(zoneName(30), "UTC-0:30");
});

test("every part of a time has all its digits", () => {
    const date = new Date(2026, 0, 2, 3, 4, 5, 6);
    assert.equal(toSeconds(date), "2026-01-02 03:04:05");
    assert.match(toMilliseconds(date), /^2026-01-02 03:04:05\.006 UTC/);
});

test("in lists a time of today has no day, an older one its day, one of another half-year its year", () => {
    const now = new Date(2026, 11, 1, 12);
    assert.equal(toShort(new Date(2026, 11, 1, 9, 5, 7), now), "09:05:07");
    assert.equal(toShort(new Date(2026, 10, 30, 9, 5, 7), now), "Nov 30, 09:05:07");
    assert.equal(toShort(new Date(2025, 10, 30, 9, 5, 7), now), "2025-11-30 09:05");
});
