"""Characters that nobody sees, as visible marks on every page: a name can't turn its row around or hide what it holds.

Stored texts and the API's answers stay as they are, and so do the values of forms, which are sent back, and what stands
in `<pre>`, where content is read in a block of its own.
"""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Controls but tab and line ends; marks, embeddings, overrides and isolates of bidirectional text; invisible separators.
_HIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_ANY_HIDDEN = re.compile(f"[{_HIDDEN}]")
# One pass; what begins with < is left alone.
_HIDDEN_OR_KEPT = re.compile(rf"[{_HIDDEN}]|<pre\b.*?</pre>|<textarea\b.*?</textarea>|<input\b[^>]*>", re.DOTALL)


def visible(text: str) -> str:
    """The text with each such character as U+202E in brackets."""
    return _ANY_HIDDEN.sub(_mark, text)


def visible_page(html: str) -> str:
    """The page with each of them, but for the forms' and the content's, as in `visible`."""
    return _HIDDEN_OR_KEPT.sub(_mark, html) if _ANY_HIDDEN.search(html) else html


def _mark(match: re.Match[str]) -> str:
    found = match.group()
    return found if found[0] == "<" else f"‹U+{ord(found):04X}›"


class VisibleMarks:
    """Middleware: does so in every page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.streaming and response.headers.get("Content-Type", "").startswith("text/html"):
            html = response.content.decode(response.charset)
            shown = visible_page(html)
            if shown is not html:
                response.content = shown.encode(response.charset)
        return response
