// Keys of a page: one listener a table of keys, silent while the reader types or a dialog is open.

/** Whether the key belongs to a field, or to the browser. */
export function isTyping(event) {
    return (
        event.target.closest("input, textarea, select, [contenteditable]") !== null ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey
    );
}

/** Calls `actions[event.key](event)`; one that answers false leaves the key to the browser. */
export function onKeys(actions) {
    document.addEventListener("keydown", (event) => {
        if (!Object.hasOwn(actions, event.key) || isTyping(event) || document.querySelector("dialog[open]")) return;
        if (actions[event.key](event) !== false) event.preventDefault();
    });
}

const follow = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();

/** Older and newer: the next and the previous page, trace or user. */
export const neighbourKeys = { n: () => follow("next"), p: () => follow("prev") };
