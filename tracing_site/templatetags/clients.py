"""The choice of a client and its page, on the admin's pages."""

from collections.abc import Callable
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlsplit

from django import template

from tracing_site.client_guides import chosen_guide, fill_in, guides

register = template.Library()


@register.inclusion_tag("admin/includes/client_choice.html", takes_context=True)
def client_choice(context: dict[str, Any]) -> dict[str, Any]:
    """Every client, by group; with a key they are buttons, whose form takes it along to the next page."""
    groups = [(name, list(members)) for name, members in groupby(guides().values(), lambda guide: guide.group)]
    return {"guide": chosen_guide(context["request"]), "groups": groups, "key_text": context.get("key_text", "")}


@register.inclusion_tag("admin/includes/client_guide.html", takes_context=True)
def client_guide(context: dict[str, Any]) -> dict[str, Any]:
    """The page of the client that is chosen."""
    guide = chosen_guide(context["request"])
    return {"guide": guide, "guide_html": guide.html(_filling(context))}


@register.inclusion_tag("admin/includes/code_block.html", takes_context=True)
def variables_for_any_client(context: dict[str, Any]) -> dict[str, Any]:
    """The variables that every OpenTelemetry SDK takes."""
    return {"code": _filling(context)(guides()["opentelemetry"].fences[0].text)}


def _filling(context: dict[str, Any]) -> Callable[[str], str]:
    """What puts the reader's addresses and key into a block of code."""
    endpoint = context["endpoint"]
    host = urlsplit(endpoint).hostname or ""
    grpc = f"http://{f'[{host}]' if ':' in host else host}:{context['grpc_port']}"
    # Encoded as in OTEL_EXPORTER_OTLP_HEADERS, where a key of the operator's choice may need it.
    key = quote(context.get("key_text", ""), safe="")
    return lambda text: fill_in(text, endpoint, grpc, key)
