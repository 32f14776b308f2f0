// ReDoc for the document that the page names.
"use strict";

{
    const font = { fontFamily: "system-ui, sans-serif" };
    const place = document.getElementById("document");
    const settings = { hideLoading: true, theme: { typography: { ...font, headings: font } } };
    Redoc.init(place.dataset.url, settings, place);
}
