// Lists of traces and spans: filters that apply at once, and rows by keyboard.

import { isTyping, neighbourKeys, onKeys } from "./keys.js";

const form = document.getElementById("list-filters");
const rows = [...document.querySelectorAll("#result_list tbody tr")];
let current = -1;

const rangeOf = (name) => form.querySelector(`input[type=hidden][name=${name}]`);
for (const input of form.querySelectorAll("[data-moment]")) {
    const stored = new Date(rangeOf(input.dataset.moment).value);
    if (!Number.isNaN(stored.valueOf())) {
        stored.setMinutes(stored.getMinutes() - stored.getTimezoneOffset());
        input.value = stored.toISOString().slice(0, 19);
    }
}
// Empty fields stay out of the address, and times travel in UTC.
form.addEventListener("submit", () => {
    const range = form.querySelector("[name=range]");
    for (const input of form.querySelectorAll("[data-moment]")) {
        const isUsed = range.value === "custom" && input.value;
        rangeOf(input.dataset.moment).value = isUsed ? new Date(input.value).toISOString() : "";
    }
    for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
});
addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
});
form.addEventListener("change", (event) => {
    if (!event.target.matches("[data-submit]")) return;
    const isCustom = event.target.matches("[data-custom-range]") && event.target.value === "custom";
    if (event.target.matches("[data-custom-range]")) form.querySelector(".custom-range").hidden = !isCustom;
    if (!isCustom) form.requestSubmit();
});

// On a small screen only the filters that are set are in sight at first.
const folding = form.querySelector("[data-fold-filters]");
folding.hidden = false;
form.classList.add("is-folded");
folding.addEventListener("click", () => {
    const isFolded = form.classList.toggle("is-folded");
    folding.setAttribute("aria-expanded", String(!isFolded));
});

const link = (row) => row.querySelector("a.title");
const choose = (index) => {
    if (!rows.length) return;
    rows[current]?.classList.remove("is-current");
    current = Math.max(0, Math.min(rows.length - 1, index));
    rows[current].classList.add("is-current");
    rows[current].scrollIntoView({ block: "nearest" });
};
// The address keeps the row that one left by, so that one finds it again on the way back.
const rowOf = (key) => rows.findIndex((row) => link(row)?.pathname.split("/").includes(key));
const left = decodeURIComponent(location.hash.slice(1));
if (left && rowOf(left) >= 0) choose(rowOf(left));
for (const [index, row] of rows.entries()) {
    link(row)?.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        const key = link(row)
            .pathname.split("/")
            .find((part) => /^[0-9a-f-]{36}$/.test(part));
        if (!key) return;
        choose(index);
        history.replaceState(history.state, "", `#${key}`);
    });
}
document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isTyping(event)) event.target.blur();
});
const next = () => choose(current + 1);
const previous = () => choose(current - 1);
onKeys({
    j: next,
    ArrowDown: next,
    k: previous,
    ArrowUp: previous,
    Enter: (event) => {
        if (current < 0 || event.target !== document.body) return false;
        link(rows[current])?.click();
    },
    x: () => {
        if (current < 0) return false;
        rows[current].querySelector("input.action-select")?.click();
    },
    "/": () => form.querySelector("#searchbar").focus(),
    ...neighbourKeys,
});
