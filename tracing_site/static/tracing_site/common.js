// On every admin page: times in the reader's zone, copy buttons, keyboard help.

import { copy } from "./clipboard.js";
import { offerHeights } from "./heights.js";
import { onKeys } from "./keys.js";
import { offerPalette } from "./palette.js";
import { localiseTimes } from "./times.js";

// The server may not know the address that it is found at; the reader's browser does.
function nameOwnAddress(root) {
    const guessed = root.querySelector("meta[name=guessed-address]")?.content;
    if (!guessed) return;
    const { hostname } = new URL(guessed);
    for (const code of root.querySelectorAll(".code-block pre")) {
        const text = code.textContent.replaceAll(guessed, location.origin);
        code.textContent = text.replaceAll(`//${hostname}:`, `//${location.hostname}:`);
    }
}

const showHelp = () => document.getElementById("help")?.showModal();

// The other value of a preference, kept by the browser; preferences.js reads it before the next page is drawn.
function toggle(name, value) {
    const chosen = document.documentElement.dataset[name] === value ? "" : value;
    document.documentElement.dataset[name] = chosen;
    localStorage.setItem(name, chosen);
}
const toggleRail = () => toggle("rail", "narrow");
document.querySelector("[data-rail-toggle]")?.addEventListener("click", toggleRail);
document.querySelector("[data-density-toggle]")?.addEventListener("click", () => toggle("density", "relaxed"));
offerPalette(document);

nameOwnAddress(document);
localiseTimes(document);
offerHeights(document);

// A page that waits for the first trace shows it by itself.
async function lookAgain() {
    if (document.hidden) return;
    const response = await fetch(location.href).catch(() => null);
    if (response?.ok && !(await response.text()).includes("data-waiting")) location.reload();
}
if (document.querySelector("[data-waiting]")) setInterval(lookAgain, 5_000);

document.addEventListener("toggle", (event) => offerHeights(event.target), true);
document.addEventListener("click", (event) => {
    const button = event.target.closest(
        "[data-copy], [data-copy-link], [data-copy-target], [data-help], [data-taller]",
    );
    if (!button) return;
    if ("help" in button.dataset) showHelp();
    else if ("copyLink" in button.dataset) copy(button, location.href);
    else if ("copy" in button.dataset) copy(button, button.dataset.copy);
    else if ("taller" in button.dataset)
        button.textContent = button.previousElementSibling.classList.toggle("is-tall") ? "Less" : "Full height";
    else {
        const shown = button.nextElementSibling;
        copy(button, shown.textContent, "cut" in shown.dataset ? "Copied the part shown" : "Copied");
    }
});
onKeys({ "?": showHelp, "[": toggleRail });
