/** Copies `text`, and says so on the button for a moment. */
export async function copy(button, text, done = "Copied") {
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
    setTimeout(() => {
        button.textContent = button.dataset.label;
    }, 1200);
}
