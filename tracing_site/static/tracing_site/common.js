"use strict";
// On every admin page: times in the reader's zone, copy buttons, keyboard help.

const tracing = {
    isTyping(event) {
        return event.target.closest("input, textarea, select, [contenteditable]") !== null || event.ctrlKey || event.metaKey || event.altKey;
    },

    localiseTimes(root) {
        for (const time of root.querySelectorAll("time[data-unix-nano]:not([data-local])")) {
            const date = new Date(time.dateTime);
            if (Number.isNaN(date.valueOf())) continue;
            const pad = (number) => String(number).padStart(2, "0");
            const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
            time.textContent = `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
            time.dataset.local = "";
        }
    },

    async copy(button, text) {
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
        const label = button.textContent;
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = label; }, 1200);
    },

    showHelp() {
        const help = document.getElementById("help");
        if (help && !help.open) help.showModal();
    },
};

document.addEventListener("DOMContentLoaded", () => tracing.localiseTimes(document));
document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-link], [data-copy-target], [data-help]");
    if (!button) return;
    if ("help" in button.dataset) tracing.showHelp();
    else if ("copyLink" in button.dataset) tracing.copy(button, location.href);
    else if ("copy" in button.dataset) tracing.copy(button, button.dataset.copy);
    else tracing.copy(button, button.nextElementSibling.textContent);
});
document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !tracing.isTyping(event)) tracing.showHelp();
});
