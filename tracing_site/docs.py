"""The API's documentation: Swagger UI, ReDoc and the OpenAPI document, all of it from this server.

Anybody may read it, so it costs next to nothing: the document is made once a process, whatever the query.
"""

import gzip
from threading import Lock
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2

from tracing_site.compression import accepts_gzip
from tracing_site.page_headers import content_security_policy

# ReDoc fills an empty style element by script, has one of a few fixed rules, and searches in a worker that it makes of
# a text. The hashes are of those two styles (a browser says the new one, should a release of ReDoc change it).
REDOC_POLICY = content_security_policy(
    style_src="'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    " 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
    worker_src="blob:",
)
TITLE = settings.SPECTACULAR_SETTINGS["TITLE"]


class Document:
    """The OpenAPI document in one notation, packed: to pack it for each reader would cost more than to send it."""

    lock = Lock()

    def __init__(self, renderer: Any, content_type: str) -> None:
        self.renderer = renderer
        self.content_type = content_type
        self.content: tuple[bytes, bytes] | tuple[()] = ()

    def read(self) -> tuple[bytes, bytes]:
        """The document, and the same by gzip."""
        with self.lock:
            if not self.content:
                generator: Any = SchemaGenerator
                schema = generator().get_schema(request=None, public=True)
                content = self.renderer().render(schema, renderer_context={})
                self.content = content, gzip.compress(content, mtime=0)
            return self.content

    def answer(self, request: HttpRequest) -> HttpResponse:
        content, packed = self.read()
        takes_gzip = accepts_gzip(request)
        response = HttpResponse(packed if takes_gzip else content, content_type=self.content_type)
        if takes_gzip:
            response.headers["Content-Encoding"] = "gzip"
        patch_vary_headers(response, ("Accept-Encoding",))
        return response


JSON = Document(OpenApiJsonRenderer2, "application/json; charset=utf-8")
YAML = Document(OpenApiYamlRenderer2, "application/yaml; charset=utf-8")


@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    return JSON.answer(request)


@require_safe
def openapi_yaml(request: HttpRequest) -> HttpResponse:
    return YAML.answer(request)


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/swagger.html", {"title": TITLE})


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    response = render(request, "docs/redoc.html", {"title": TITLE})
    response.headers["Content-Security-Policy"] = REDOC_POLICY
    return response


urlpatterns = [
    path("docs", swagger, name="docs"),
    path("docs/", swagger),
    path("docs/redoc", redoc, name="docs-redoc"),
    path("docs/json", openapi_json, name="openapi-json"),
    path("docs/yaml", openapi_yaml, name="openapi-yaml"),
]
