"""Every route of the site."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from tracing_site.api import SystemView
from tracing_site.health import health, readyz
from tracing_site.prometheus import metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("traces.api.urls")),
    path("", include("evaluations.urls")),
    path("", include("tracing_site.docs")),
    path("health", health),
    path("readyz", readyz),
    path("metrics", metrics),
    path("system", SystemView.as_view()),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]
handler400 = "tracing_site.api.bad_request"
handler403 = "tracing_site.api.permission_denied"
handler404 = "tracing_site.api.not_found"
handler500 = "tracing_site.api.server_error"
