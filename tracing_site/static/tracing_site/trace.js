// The trace page: choosing, folding and filtering spans. The server renders every row and panel; nothing is built from data here.

import { fragment } from "./fragments.js";
import { offerHeights } from "./heights.js";
import { neighbourKeys, onKeys } from "./keys.js";
import { localiseTimes } from "./times.js";
import { hiddenRows, labelPlace } from "./tree.js";

const body = document.querySelector("[data-trace]");
const rows = body.querySelector(".rows");
const panel = body.querySelector(".panel");
const tools = body.querySelector(".waterfall-tools");
const rowsUrl = body.dataset.rowsUrl;
const spanUrl = rowsUrl.replace(/rows\/(\?.*)?$/, "spans/");
let selected = "";
let tab = "content";
let panelRequest = 0;
let rowsRequest = 0;

const all = () => [...rows.querySelectorAll(".row")];
const visible = () => all().filter((row) => !row.hidden);
const find = (spanId) => document.getElementById(`span-${spanId}`);

function showTab(name) {
    const buttons = [...panel.querySelectorAll("[data-tab]")];
    if (!buttons.some((button) => button.dataset.tab === name)) return;
    tab = name;
    for (const button of buttons) button.setAttribute("aria-selected", String(button.dataset.tab === name));
    for (const part of panel.querySelectorAll("[data-tabpanel]")) part.hidden = part.dataset.tabpanel !== name;
    offerHeights(panel);
}

async function select(spanId, { remember = true, scroll = true, query = "" } = {}) {
    if (!/^[0-9a-f]{16}$/.test(spanId)) return;
    selected = spanId;
    const shows = draw(spanId).then(() => {
        unfoldAbove(spanId);
        markSelected(scroll);
    });
    if (remember) {
        const url = new URL(location);
        url.searchParams.set("span", spanId);
        history.replaceState(null, "", url);
    }
    const request = ++panelRequest;
    panel.classList.add("is-loading");
    try {
        const [html] = await Promise.all([fragment(`${spanUrl}${spanId}/${query}`), shows]);
        if (request !== panelRequest) return;
        panel.innerHTML = html;
        if (!query) panel.scrollTop = 0;
        localiseTimes(panel);
        showTab(tab);
    } catch (error) {
        if (request === panelRequest) panel.textContent = `The span could not be loaded: ${error.message}`;
    } finally {
        if (request === panelRequest) panel.classList.remove("is-loading");
    }
}

const isFiltered = () => [...new FormData(tools).values()].some((value) => value);

// A span may stand below the rows drawn so far, or be filtered away.
async function draw(spanId) {
    if (find(spanId)) return;
    const more = rows.querySelector(".more");
    if (isFiltered()) {
        tools.reset();
        await loadRows(0, spanId);
    } else if (more) {
        await loadRows(more.dataset.next, spanId);
    }
}

function unfoldAbove(spanId) {
    const row = find(spanId);
    if (!row?.hidden) return;
    for (let above = parentOf(row); above; above = parentOf(above)) above.setAttribute("aria-expanded", "true");
    fold();
}

function markSelected(scroll) {
    for (const row of rows.querySelectorAll(".is-selected")) {
        row.classList.remove("is-selected");
        row.removeAttribute("aria-selected");
    }
    rows.removeAttribute("aria-activedescendant");
    const row = find(selected);
    if (!row) return;
    row.classList.add("is-selected");
    row.setAttribute("aria-selected", "true");
    rows.setAttribute("aria-activedescendant", row.id);
    if (scroll) row.scrollIntoView({ block: "nearest" });
}

// A row is hidden while any row above it in the tree is folded.
function fold() {
    const drawn = all();
    const hidden = hiddenRows(
        drawn.map((row) => ({
            depth: Number(row.dataset.depth),
            isFolded: row.getAttribute("aria-expanded") === "false",
        })),
    );
    for (const [index, row] of drawn.entries()) row.hidden = hidden[index];
}

function setExpanded(row, isExpanded) {
    if (!row.hasAttribute("aria-expanded")) return false;
    row.setAttribute("aria-expanded", String(isExpanded));
    fold();
    return true;
}

// Where bars and ticks stand comes as data: the policy of the pages allows no style attributes.
function place() {
    for (const placed of body.querySelectorAll("[data-position]")) {
        placed.style.cssText = placed.dataset.position;
        placed.removeAttribute("data-position");
    }
}

// Labels stand behind their bar, before it where there is no room, and inside a bar that fills the line.
function placeLabels() {
    for (const row of all()) {
        const offset = parseFloat(row.style.getPropertyValue("--offset"));
        const side = labelPlace(offset, parseFloat(row.style.getPropertyValue("--width")));
        const label = row.querySelector(".took");
        label.classList.toggle("inside", side === "inside");
        label.classList.toggle("end", side === "end");
    }
}

async function loadRows(from, until) {
    const url = new URL(rowsUrl, location);
    for (const [name, value] of new FormData(tools)) if (value) url.searchParams.set(name, value);
    if (from) url.searchParams.set("from", from);
    if (until) url.searchParams.set("until", until);
    const request = ++rowsRequest;
    const html = await fragment(url);
    if (request !== rowsRequest) return;
    if (from) {
        rows.querySelector(".more")?.remove();
        rows.insertAdjacentHTML("beforeend", html);
    } else {
        rows.innerHTML = html;
        rows.scrollTop = 0;
    }
    place();
    placeLabels();
    fold();
    markSelected(false);
}

rows.addEventListener("click", (event) => {
    const more = event.target.closest(".more");
    if (more) {
        more.disabled = true;
        loadRows(more.dataset.next).catch((error) => {
            more.disabled = false;
            more.textContent = `Not loaded (${error.message}). Try again`;
        });
        return;
    }
    const row = event.target.closest(".row");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (event.target.matches(".twisty")) setExpanded(row, row.getAttribute("aria-expanded") === "false");
    else select(row.dataset.span, { scroll: false });
});

panel.addEventListener("click", (event) => {
    const button = event.target.closest("[data-tab]");
    if (button) showTab(button.dataset.tab);
    const query = event.target.dataset.query;
    if (query) select(selected, { remember: false, scroll: false, query });
});

document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='?span=']");
    if (!link || rows.contains(link) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    select(new URLSearchParams(link.getAttribute("href")).get("span"));
});

let timer;
const filterSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => loadRows(0), 120);
};
tools.addEventListener("input", filterSoon);
tools.addEventListener("submit", (event) => {
    event.preventDefault();
    filterSoon();
});
tools.addEventListener("click", (event) => {
    const isCollapse = event.target.matches("[data-collapse-all]");
    if (!isCollapse && !event.target.matches("[data-expand-all]")) return;
    for (const row of rows.querySelectorAll("[aria-expanded]")) row.setAttribute("aria-expanded", String(!isCollapse));
    fold();
});

function step(distance) {
    const shown = visible();
    const index = shown.indexOf(find(selected));
    const next = shown[Math.max(0, Math.min(shown.length - 1, index + distance))];
    if (!next) return;
    rows.focus({ preventScroll: true }); // screen readers then say the row that is active in the tree
    select(next.dataset.span);
}

function nextError() {
    const order = all();
    const here = order.indexOf(find(selected));
    const drawn = order.filter((row) => row.classList.contains("is-error"));
    const below = drawn.find((row) => order.indexOf(row) > here)?.dataset.span;
    const failed = isFiltered() ? [] : body.dataset.failed.split(" ");
    const next = below ?? failed.find((spanId) => !find(spanId)) ?? drawn[0]?.dataset.span;
    if (next) select(next);
}

function parentOf(row) {
    const depth = Number(row.dataset.depth);
    let above = row.previousElementSibling;
    while (above && Number(above.dataset.depth) >= depth) above = above.previousElementSibling;
    return above;
}

const search = tools.elements.q;
document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || (event.target !== search && !search.value)) return;
    tools.reset();
    filterSoon();
    search.blur();
});

function goIn() {
    const row = find(selected);
    if (!row) return false;
    if (row.getAttribute("aria-expanded") === "false") setExpanded(row, true);
    else step(1);
}

function goOut() {
    const row = find(selected);
    if (!row) return false;
    if (row.getAttribute("aria-expanded") === "true") setExpanded(row, false);
    else if (parentOf(row)) select(parentOf(row).dataset.span);
}

const tabKeys = ["1", "2", "3", "4", "5", "6", "7"].map((key, index) => [
    key,
    () => showTab(panel.querySelectorAll("[data-tab]")[index]?.dataset.tab),
]);
onKeys({
    j: () => step(1),
    ArrowDown: () => step(1),
    k: () => step(-1),
    ArrowUp: () => step(-1),
    ArrowRight: goIn,
    ArrowLeft: goOut,
    "/": () => search.focus(),
    e: nextError,
    ...neighbourKeys,
    ...Object.fromEntries(tabKeys),
});

place();
placeLabels();
const wanted = new URLSearchParams(location.search).get("span");
select(body.dataset.selected, { remember: false, scroll: Boolean(wanted) });
