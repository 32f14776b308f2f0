"use strict";
// Pages of sessions and users: their traces by keyboard, and folded parts all at once.

document.addEventListener("DOMContentLoaded", () => {
    const chapters = [...document.querySelectorAll("[data-chapter]")];
    const parts = [...document.querySelectorAll("[data-chat] details")];
    const fold = (isOpen) => { for (const part of parts) part.open = isOpen; };
    document.querySelector("[data-unfold]")?.addEventListener("click", () => fold(true));
    document.querySelector("[data-fold]")?.addEventListener("click", () => fold(false));

    document.addEventListener("keydown", (event) => {
        if (tracing.isTyping(event) || document.querySelector("dialog[open]")) return;
        const current = chapters.indexOf(document.activeElement?.closest("[data-chapter]"));
        if (event.key === "j") chapters[Math.min(chapters.length - 1, current + 1)]?.focus();
        else if (event.key === "k") chapters[Math.max(0, current - 1)]?.focus();
        else if (event.key === "Enter" && current >= 0 && event.target === chapters[current]) chapters[current].querySelector("a.title").click();
        else if (event.key === "o") fold(parts.some((part) => !part.open));
        else if (event.key === "n") document.querySelector("a[rel=next]")?.click();
        else if (event.key === "p") document.querySelector("a[rel=prev]")?.click();
        else return;
        event.preventDefault();
    });
});
