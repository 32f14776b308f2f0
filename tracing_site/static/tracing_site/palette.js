// The command palette: pages of the rail, and traces by what is typed.

/** What to offer for a text: pages whose names hold its words, then searches. A page is { label, url, group }. */
export function offers(text, pages, searchUrl) {
    const wanted = text.trim();
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const found = pages.filter((page) => words.every((word) => page.label.toLowerCase().includes(word)));
    if (!wanted || !searchUrl) return found;
    const search = (name) => `${searchUrl}?${new URLSearchParams({ [name]: wanted })}`;
    const isId = /^[0-9a-f]{32}$/i.test(wanted);
    const searches = [
        {
            label: isId ? `Trace ${wanted}` : `Traces with “${wanted}”`,
            url: search("q"),
            group: "name, input, output or trace id",
        },
        { label: `Traces of session ${wanted}`, url: search("session"), group: "session" },
        { label: `Traces of user ${wanted}`, url: search("user"), group: "user" },
    ];
    return isId ? [searches[0], ...found] : [...found, ...searches];
}

/** Opens by button and Ctrl-K; arrows choose, Enter goes. */
export function offerPalette(root) {
    const dialog = root.getElementById("palette");
    if (!dialog) return;
    const field = dialog.querySelector("input");
    const list = dialog.querySelector("ul");
    const pages = [...root.querySelectorAll(".rail a[href]")].map((link) => ({
        label: link.textContent.trim() || link.title,
        url: link.href,
        group: link.closest("div").querySelector("h2")?.textContent ?? "",
    }));
    let chosen = 0;

    const choose = (number) => {
        const options = [...list.children];
        chosen = options.length ? (number + options.length) % options.length : 0;
        for (const [at, option] of options.entries()) option.setAttribute("aria-selected", String(at === chosen));
        options[chosen]?.scrollIntoView({ block: "nearest" });
        field.setAttribute("aria-activedescendant", options[chosen]?.id ?? "");
    };
    const show = () => {
        const options = offers(field.value, pages, dialog.dataset.searchUrl).map(({ label, url, group }, at) => {
            const option = Object.assign(document.createElement("li"), { id: `palette-${at}`, textContent: label });
            option.setAttribute("role", "option");
            option.dataset.url = url;
            if (group) option.append(Object.assign(document.createElement("small"), { textContent: group }));
            return option;
        });
        list.replaceChildren(...options);
        choose(0);
    };
    const open = () => {
        field.value = "";
        show();
        dialog.showModal();
    };
    const go = (option) => option && location.assign(option.dataset.url);

    field.addEventListener("input", show);
    field.addEventListener("keydown", (event) => {
        if (event.key === "ArrowDown") choose(chosen + 1);
        else if (event.key === "ArrowUp") choose(chosen - 1);
        else if (event.key === "Enter") go(list.children[chosen]);
        else return;
        event.preventDefault();
    });
    list.addEventListener("click", (event) => go(event.target.closest("li")));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    root.addEventListener("keydown", (event) => {
        if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || root.querySelector("dialog[open]"))
            return;
        event.preventDefault();
        open();
    });
    for (const button of root.querySelectorAll("[data-palette]")) button.addEventListener("click", open);
}
