"use strict";
// On every admin page: times in the reader's zone, copy buttons, keyboard help.

const tracing = {
    isTyping(event) {
        return event.target.closest("input, textarea, select, [contenteditable]") !== null || event.ctrlKey || event.metaKey || event.altKey;
    },

    // "UTC", "UTC+2", "UTC-3:30": the reader's distance from UTC at that moment.
    zoneAt(date) {
        const minutes = -date.getTimezoneOffset();
        const rest = Math.abs(minutes) % 60;
        const hours = Math.trunc(Math.abs(minutes) / 60) + (rest ? `:${rest}` : "");
        return minutes ? `UTC${minutes < 0 ? "-" : "+"}${hours}` : "UTC";
    },

    // In lists to the second, their zone below them; among the facts of a page to the millisecond, with their zone.
    localiseTimes(root) {
        for (const time of root.querySelectorAll("time[data-unix-nano]:not([data-local])")) {
            const date = new Date(time.dateTime);
            if (Number.isNaN(date.valueOf())) continue;
            const pad = (number, length = 2) => String(number).padStart(length, "0");
            const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
            time.textContent = `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
            if (time.closest(".facts")) time.textContent += `.${pad(date.getMilliseconds(), 3)} ${tracing.zoneAt(date)}`;
            time.dataset.local = "";
        }
        const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
        const zone = tracing.zoneAt(new Date());
        for (const place of root.querySelectorAll("[data-zone]")) place.textContent = timeZone === zone ? zone : `${timeZone} (${zone})`;
    },

    // The server may not know the address that it is found at; the reader's browser does.
    nameOwnAddress(root) {
        const guessed = root.querySelector("meta[name=guessed-address]")?.content;
        if (!guessed) return;
        const { hostname } = new URL(guessed);
        for (const code of root.querySelectorAll(".code-block pre")) {
            const text = code.textContent.replaceAll(guessed, location.origin);
            code.textContent = text.replaceAll(`//${hostname}:`, `//${location.hostname}:`);
        }
    },

    // Texts that scroll in their box can have their full height.
    offerHeights(root) {
        for (const button of root.querySelectorAll("[data-taller]")) {
            const box = button.previousElementSibling;
            if (box.scrollHeight > box.clientHeight + 2) button.hidden = false;
        }
    },

    async copy(button, text, done = "Copied") {
        try {
            await navigator.clipboard.writeText(text);
        } catch {
            // Without HTTPS there is no clipboard API; a selected field still copies.
            const field = document.createElement("textarea");
            field.value = text;
            document.body.append(field);
            field.select();
            document.execCommand("copy");
            field.remove();
        }
        button.dataset.label ??= button.textContent; // a second click comes while it says that it has copied
        button.textContent = done;
        setTimeout(() => { button.textContent = button.dataset.label; }, 1200);
    },

    showHelp() {
        const help = document.getElementById("help");
        if (help && !help.open) help.showModal();
    },
};

document.addEventListener("DOMContentLoaded", () => {
    tracing.nameOwnAddress(document);
    tracing.localiseTimes(document);
    tracing.offerHeights(document);
});
// A page that waits for the first trace shows it by itself.
async function lookAgain() {
    if (document.hidden) return;
    const response = await fetch(location.href).catch(() => null);
    if (response?.ok && !(await response.text()).includes("data-waiting")) location.reload();
}
document.addEventListener("DOMContentLoaded", () => {
    if (document.querySelector("[data-waiting]")) setInterval(lookAgain, 5_000);
});
document.addEventListener("toggle", (event) => tracing.offerHeights(event.target), true);
document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-link], [data-copy-target], [data-help], [data-taller]");
    if (!button) return;
    if ("help" in button.dataset) tracing.showHelp();
    else if ("copyLink" in button.dataset) tracing.copy(button, location.href);
    else if ("copy" in button.dataset) tracing.copy(button, button.dataset.copy);
    else if ("taller" in button.dataset) button.textContent = button.previousElementSibling.classList.toggle("is-tall") ? "Less" : "Full height";
    else {
        const shown = button.nextElementSibling;
        tracing.copy(button, shown.textContent, "cut" in shown.dataset ? "Copied the part shown" : "Copied");
    }
});
document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !tracing.isTyping(event)) tracing.showHelp();
});
