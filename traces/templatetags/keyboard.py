"""The keys of each page, and the dialog that tells them."""

from typing import Any

from django import template

register = template.Library()

# Page, then its keys and what they do. The scripts of the pages listen to them; these are told on every page.
EVERYWHERE = (
    (("Ctrl K",), "go to a page, trace, session or user"),
    (("[",), "narrow or wide rail"),
    (("?",), "this help"),
)
KEYS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "list": (
        (("j", "k"), "next, previous row"),
        (("Enter",), "open the row"),
        (("x",), "select the row"),
        (("/",), "search"),
        (("n", "p"), "older, newer page"),
    ),
    "groups": (
        (("j", "k"), "next, previous row"),
        (("Enter",), "open the row"),
        (("/",), "search"),
        (("n", "p"), "older, newest page"),
    ),
    "user": (
        (("j", "k"), "next, previous trace"),
        (("Enter",), "open the trace"),
        (("n", "p"), "older, newer page"),
    ),
    "session": (
        (("j", "k"), "next, previous trace"),
        (("Enter",), "open the trace"),
        (("o",), "unfold or fold everything"),
        (("n", "p"), "later, earlier page"),
    ),
    "trace": (
        (("↓", "↑", "j", "k"), "next, previous span"),
        (("→", "←"), "expand, collapse"),
        (("1", "–", "7"), "the panel's tabs"),
        (("e",), "next span with an error"),
        (("n", "p"), "older, newer trace"),
        (("/",), "filter the spans"),
        (("Esc",), "clear the filter"),
    ),
}


@register.inclusion_tag("admin/includes/keyboard.html")
def keyboard_help(page: str) -> dict[str, Any]:
    """The dialog that `?` opens."""
    return {"keys": KEYS[page] + EVERYWHERE}
