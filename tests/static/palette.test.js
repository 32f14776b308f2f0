import assert from "node:assert/strict";
import { test } from "node:test";

import { offers } from "../../tracing_site/static/tracing_site/palette.js";

const pages = [
    { label: "Home", url: "/admin/", group: "" },
    { label: "Mapping rules", url: "/admin/rules/", group: "Reading" },
    { label: "API keys", url: "/admin/keys/", group: "Settings" },
];
const urls = (text, searchUrl = "/traces/") => offers(text, pages, searchUrl).map((offer) => offer.url);

test("without a text every page is offered", () => {
    assert.deepEqual(urls(""), ["/admin/", "/admin/rules/", "/admin/keys/"]);
});

test("pages are found by the words of their names, before the searches", () => {
    assert.equal(urls("RULES map")[0], "/admin/rules/");
    assert.deepEqual(urls("refund"), ["/traces/?q=refund", "/traces/?session=refund", "/traces/?user=refund"]);
});

test("a trace id leads to its trace first, and what is typed is quoted", () => {
    assert.equal(urls("0123456789abcdef0123456789ABCDEF")[0], "/traces/?q=0123456789abcdef0123456789ABCDEF");
    assert.equal(urls("a&b=c #1")[1], "/traces/?session=a%26b%3Dc+%231");
});

test("who may not search traces is offered pages only", () => {
    assert.deepEqual(urls("keys", ""), ["/admin/keys/"]);
});
