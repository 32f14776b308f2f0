// Before anything is drawn: how wide the rail is, and how high rows are. Django's theme.js does the same for the theme.
"use strict";
for (const name of ["rail", "density"]) {
    const chosen = localStorage.getItem(name);
    if (chosen) document.documentElement.dataset[name] = chosen;
}
