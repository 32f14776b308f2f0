// Swagger UI for the document that the page names.
"use strict";

SwaggerUIBundle({
    url: document.getElementById("document").dataset.url,
    dom_id: "#document",
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    validatorUrl: null, // else a badge would come from another host
});
