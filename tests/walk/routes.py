"""The URLs of the site, read off its routes, each with keys of a world's rows in it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from django.urls import URLPattern, get_resolver

from tests.walk.world import SESSION, SOUGHT, USER, World

# Behind /admin/ and any other end: Django's own last resort.
CATCH_ALL = "(?P<url>.*)"
LISTS = (
    f"?q={SOUGHT}",
    "?q=%00",
    "?project={project}",
    "?project=9223372036854775808",
    "?project__name__regex=(z%2B)%2B%24",
    "?all=&o=1.-2&p=99999999999999999999",
    "?e=1&_popup=1&_facets=True",
    "?before=0001-01-01T00:00:00%2B14:00",
)
API_LISTS = (
    f"?q={SOUGHT}",
    "?q=%00",
    "?project={slug}",
    "?cursor=%00",
    "?limit=100&offset=99999999999999999999",
    "?from=0001-01-01T00:00:00%2B14:00",
    f"?session_id={SESSION}",
)
QUERIES = {
    "admin:autocomplete": (
        "?app_label=projects&model_name=projectmembership&field_name=user&term=z",
        "?app_label=projects&model_name=apikey&field_name=project&term=z",
    ),
    "admin:traces_session_page": (f"?id={SESSION}&project={{project}}", "?id=%00&project=x"),
    "admin:traces_enduser_page": (f"?id={USER}&project={{project}}", "?id=%00&project=x"),
    "admin:traces_trace_rows": ("?q=z&from=-1", "?errors=yes&until=%00&from=99999999999999999999"),
    "admin:traces_trace_change": ("?span=%00&clock=corrected",),
    "admin:traces_trace_span": ("?whole=yes",),
    "admin:traces_trace_delete": ("?_to_field=id",),
}


def urls(world: World) -> list[str]:
    """Every URL once, those that end a sign-in last."""
    found = dict.fromkeys(
        url for route, name in _routes(get_resolver().url_patterns) for url in _urls(route, name, world)
    )
    return sorted(found, key=lambda url: ("logout" in url or "password_change" in url, url))


def _routes(patterns: Sequence[Any], prefix: str = "", names: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Each route and its full name."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), ":".join([*names, pattern.name or ""])
        else:
            inner = (*names, pattern.namespace) if pattern.namespace else names
            yield from _routes(pattern.url_patterns, prefix + str(pattern.pattern), inner)


def _urls(route: str, name: str, world: World) -> Iterator[str]:
    if CATCH_ALL in route:
        yield "/admin/nothing/here/"
        return
    if "(?P<app_label>" in route:
        yield from (f"/admin/{label}/" for label in sorted({model._meta.app_label for model in world.rows}))
        return
    path = "/" + _filled(route, world)
    yield path
    queries = list(QUERIES.get(name, ()))
    if name.endswith("_changelist"):
        queries += LISTS
    elif path in {"/v1/traces", "/v1/spans", "/v1/sessions", "/v1/users", "/v1/scores", "/v1/audit"} or path.endswith(
        "/spans"
    ):
        queries += API_LISTS
    elif not queries:
        queries = ["?unknown=1"]
    for query in queries:
        yield path + query.format(project=world.project.pk, slug=world.project.slug)
    if re.search("[<(]", route):
        yield "/" + _filled(route, world, missing=True)


def _filled(route: str, world: World, missing: bool = False) -> str:
    row = _row(route, world)
    values = {
        "trace_id": world.trace.trace_id,
        "id": world.trace.trace_id,
        "identifier": world.trace.trace_id,
        "span_id": world.span.span_id,
        "key": row,
        "object_id": row,
        "content_type_id": "1",
    }
    if route.startswith("^v1/sessions/"):
        values["id"] = SESSION
    elif route.startswith("^v1/users/"):
        values["id"] = USER
    elif "auth/user" in route:
        values["id"] = row
    if missing:
        values = dict.fromkeys(values, "00000000-0000-0000-0000-000000000000")
        if "<int:" in route:
            values["key"] = "9223372036854775808"

    def value(match: re.Match[str]) -> str:
        return quote(str(values[match[1]]), safe="")

    route = re.sub(r"\(\?P<(\w+)>.*?\)", value, route)
    return re.sub(r"<(?:\w+:)?(\w+)>", value, route).lstrip("^").rstrip("$")


def _row(route: str, world: World) -> Any:
    """The key of the row that an admin route is about."""
    if route.startswith("admin/r/"):
        return world.project.pk
    models = {f"admin/{model._meta.app_label}/{model._meta.model_name}/": model for model in world.rows}
    return next((world.rows[model] for prefix, model in models.items() if route.startswith(prefix)), "")
