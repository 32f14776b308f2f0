import assert from "node:assert/strict";
import { test } from "node:test";

import { hiddenRows, labelPlace } from "../../tracing_site/static/tracing_site/tree.js";

const rows = (...drawn) => drawn.map(([depth, isFolded = false]) => ({ depth, isFolded }));

test("nothing is hidden where nothing is folded", () => {
    assert.deepEqual(hiddenRows(rows([0], [1], [2], [1])), [false, false, false, false]);
});

test("a folded row hides all below it, and nothing beside it", () => {
    assert.deepEqual(hiddenRows(rows([0], [1, true], [2], [3], [1], [2])), [false, false, true, true, false, false]);
});

test("a row that is folded below a folded one changes nothing", () => {
    assert.deepEqual(hiddenRows(rows([0, true], [1, true], [2], [1], [0], [1])), [
        false,
        true,
        true,
        true,
        false,
        false,
    ]);
});

test("two folded rows that follow each other each hide their own", () => {
    assert.deepEqual(hiddenRows(rows([0, true], [1], [0, true], [1])), [false, true, false, true]);
});

test("a label stands behind its bar, before it at the right, inside one that fills the line", () => {
    assert.equal(labelPlace(0, 72), "");
    assert.equal(labelPlace(28, 60), "inside");
    assert.equal(labelPlace(29, 60), "end");
});
