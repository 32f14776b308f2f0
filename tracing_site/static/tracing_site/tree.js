// A tree as the list of its rows in order, each with its depth; nothing here knows the page.

/** Which of `rows` ({depth, isFolded}) stand below a folded one: a list of booleans. */
export function hiddenRows(rows) {
    let foldedDepth = Infinity;
    return rows.map(({ depth, isFolded }) => {
        if (depth <= foldedDepth) foldedDepth = Infinity;
        const isHidden = depth > foldedDepth;
        if (foldedDepth === Infinity && isFolded) foldedDepth = depth;
        return isHidden;
    });
}

/** Where a bar's label stands, given the bar in percent of the line: "" behind it, "end" before it where there is no room, "inside" a bar that fills the line. */
export function labelPlace(offset, width) {
    if (offset + width <= 72) return "";
    return offset <= 28 ? "inside" : "end";
}
