"""The API's documentation: Swagger UI, ReDoc and the OpenAPI document, all of it from this server."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_page
from drf_spectacular.renderers import OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerView,
    SpectacularYAMLAPIView,
)
from rest_framework.negotiation import BaseContentNegotiation

from traces.api.encoding import AnyAccept

# ReDoc would fetch its logo from elsewhere; the pages of both have an inline script and style.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "worker-src blob:",
    )
)


class JsonRenderer(OpenApiJsonRenderer2):
    charset = "utf-8"


class JsonView(SpectacularJSONAPIView):
    content_negotiation_class = AnyAccept
    renderer_classes = [JsonRenderer]


class YamlView(SpectacularYAMLAPIView):
    content_negotiation_class = AnyAccept
    renderer_classes = [OpenApiYamlRenderer2]


class FromHereOnly:
    """Mixin: the page loads nothing from another host, and comes whatever is accepted."""

    content_negotiation_class: type[BaseContentNegotiation] = AnyAccept

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


class SwaggerView(FromHereOnly, SpectacularSwaggerView):
    url_name = "openapi-json"


class RedocView(FromHereOnly, SpectacularRedocView):
    url_name = "openapi-json"


# The document only changes with the program.
cached = cache_page(3600)

urlpatterns = [
    path("docs", SwaggerView.as_view(), name="docs"),
    path("docs/", SwaggerView.as_view()),
    path("docs/redoc", RedocView.as_view(), name="docs-redoc"),
    path("docs/json", cached(JsonView.as_view()), name="openapi-json"),
    path("docs/yaml", cached(YamlView.as_view()), name="openapi-yaml"),
]
