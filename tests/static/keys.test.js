import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { onKeys } from "../../tracing_site/static/tracing_site/keys.js";

let listener;
let isDialogOpen;
let pressed;

beforeEach(() => {
    isDialogOpen = false;
    pressed = [];
    globalThis.document = {
        addEventListener: (_, given) => {
            listener = given;
        },
        querySelector: () => (isDialogOpen ? {} : null),
    };
    onKeys({
        j: () => {
            pressed.push("j");
        },
        Enter: () => false,
    });
});

function press(key, { inField = false, ...held } = {}) {
    let isTaken = false;
    listener({
        key,
        ...held,
        target: { closest: () => (inField ? {} : null) },
        preventDefault: () => {
            isTaken = true;
        },
    });
    return isTaken;
}

test("a key of the table acts, and the browser does not see it", () => {
    assert.equal(press("j"), true);
    assert.deepEqual(pressed, ["j"]);
});

test("other keys and keys whose action declines stay the browser's", () => {
    assert.equal(press("q"), false);
    assert.equal(press("toString"), false);
    assert.equal(press("Enter"), false);
});

test("keys in a field, with a modifier, or under a dialog stay silent", () => {
    press("j", { inField: true });
    press("j", { ctrlKey: true });
    press("j", { metaKey: true });
    isDialogOpen = true;
    press("j");
    assert.deepEqual(pressed, []);
});
