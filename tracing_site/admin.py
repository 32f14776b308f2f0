"""The dashboard of django-rq: only with Redis, and only for superusers, since it shows every project's jobs."""

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern
from django_rq.admin import QueueAdmin
from django_rq.models import Dashboard

from projects.declared_lists import DeclaredListAdmin, RefusedParameters
from tracing_site.admin_site import CONTENT_SECURITY_POLICY

# Its pages have inline scripts and styles.
POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "default-src 'self'", "default-src 'self'; script-src 'self' 'unsafe-inline'"
)


class SuperuserQueueAdmin(DeclaredListAdmin, QueueAdmin):
    """django-rq itself only asks for the staff flag, which every project member has."""

    list_parameters = frozenset({"page", "desc"})

    def get_urls(self) -> list[URLPattern]:
        patterns: list[URLPattern] = super().get_urls()  # type: ignore[no-untyped-call]
        for pattern in patterns:
            pattern.callback = self.admin_site.admin_view(self.guarded(pattern.callback))
        return patterns

    def guarded(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """The view for superusers, with the parameters that django-rq's pages have."""

        @functools.wraps(view)
        def with_guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not getattr(request.user, "is_superuser", False):
                raise PermissionDenied
            try:
                self.check_parameters(request)
            except RefusedParameters as error:
                return self.refuse(request, error)
            response = view(request, *args, **kwargs)
            response.headers["Content-Security-Policy"] = POLICY
            return response

        return with_guard

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)


admin.site.unregister(Dashboard)
if settings.REDIS_URL:
    admin.site.register(Dashboard, SuperuserQueueAdmin)
