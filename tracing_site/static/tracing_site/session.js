// Pages of sessions and users: their traces by keyboard, and folded parts all at once.

import { neighbourKeys, onKeys } from "./keys.js";

const chapters = [...document.querySelectorAll("[data-chapter]")];
const parts = [...document.querySelectorAll("[data-chat] details")];
const fold = (isOpen) => {
    for (const part of parts) part.open = isOpen;
};
document.querySelector("[data-unfold]")?.addEventListener("click", () => fold(true));
document.querySelector("[data-fold]")?.addEventListener("click", () => fold(false));

const currentIndex = () => chapters.indexOf(document.activeElement?.closest("[data-chapter]"));
onKeys({
    j: () => chapters[Math.min(chapters.length - 1, currentIndex() + 1)]?.focus(),
    k: () => chapters[Math.max(0, currentIndex() - 1)]?.focus(),
    Enter: (event) => {
        const current = chapters.indexOf(event.target);
        if (current < 0) return false;
        chapters[current].querySelector("a.title").click();
    },
    o: () => fold(parts.some((part) => !part.open)),
    ...neighbourKeys,
});
