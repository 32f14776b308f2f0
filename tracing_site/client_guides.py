"""How each client sends its first trace: the pages of docs/clients, which the admin shows with address and key in them.

`docs/clients/README.md` names them: its headings are the groups, its list items the clients in their order.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import escape
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

FOLDER: Path = settings.BASE_DIR / "docs" / "clients"
# What the pages have in place of the reader's own.
ENDPOINT = "http://127.0.0.1:8000"
GRPC_ENDPOINT = "http://127.0.0.1:4317"
KEY = "YOUR-API-KEY"

_GROUP_OR_CLIENT = re.compile(r"^## (?P<group>.+)|^- \[(?P<title>[^\]]+)\]\((?P<slug>[a-z0-9-]+)\.md\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code: a file to write if it has a name, else shell commands or an excerpt."""

    language: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Guide:
    """The page of one client: Markdown that begins with its title."""

    slug: str
    title: str
    group: str
    text: str

    @property
    def fences(self) -> list[Fence]:
        return [_fence(token.info, token.content) for token in _MARKDOWN.parse(self.text) if token.type == "fence"]

    def html(self, fill: Callable[[str], str]) -> SafeString:
        """The page without its title; `fill` puts the reader's address and key into each block of code."""
        rendered = _MARKDOWN.render(self.text.partition("\n")[2], {"fill": fill})
        return SafeString(rendered)


def fill_in(text: str, endpoint: str, grpc_endpoint: str, key: str = "") -> str:
    """The text with the reader's addresses, and the key if there is one."""
    text = text.replace(ENDPOINT, endpoint).replace(GRPC_ENDPOINT, grpc_endpoint)
    return text.replace(KEY, key) if key else text


@functools.cache
def guides() -> dict[str, Guide]:
    """Every client's page by its slug, in the order in which they are offered. Raises OSError if one is not there."""
    found: dict[str, Guide] = {}
    group = ""
    for match in _GROUP_OR_CLIENT.finditer((FOLDER / "README.md").read_text(encoding="utf-8")):
        if match["group"]:
            group = match["group"]
        else:
            text = (FOLDER / f"{match['slug']}.md").read_text(encoding="utf-8")
            found[match["slug"]] = Guide(match["slug"], match["title"], group, text)
    return found


def chosen_guide(request: HttpRequest) -> Guide:
    """The page that `client` of the request names, else the first one, which holds for any client."""
    every = guides()
    slug = request.POST.get("client") or request.GET.get("client") or ""
    return every.get(slug) or next(iter(every.values()))


def _fence(info: str, text: str) -> Fence:
    language, _, file = info.strip().partition(" ")
    return Fence(language, file.strip(), text)


def _render_fence(renderer: Any, tokens: Any, index: int, options: Any, env: dict[str, Any]) -> str:
    fence = _fence(tokens[index].info, tokens[index].content)
    name = f'<p class="file-name"><code>{escape(fence.file)}</code></p>' if fence.file else ""
    return (
        f'{name}<div class="code-block"><button type="button" class="copy" data-copy-target="next">Copy</button>'
        f"<pre>{escape(env['fill'](fence.text).rstrip())}</pre></div>\n"
    )


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_MARKDOWN.add_render_rule("fence", _render_fence)
