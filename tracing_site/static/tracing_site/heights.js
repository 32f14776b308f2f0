/** Texts that scroll in their box can have their full height. */
export function offerHeights(root) {
    for (const button of root.querySelectorAll("[data-taller]")) {
        const box = button.previousElementSibling;
        if (box.scrollHeight > box.clientHeight + 2) button.hidden = false;
    }
}
