import assert from "node:assert/strict";
import { test } from "node:test";

import { toMilliseconds, toSeconds, zoneName } from "../../tracing_site/static/tracing_site/times.js";

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
