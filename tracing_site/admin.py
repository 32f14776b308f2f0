"""The dashboard of django-rq: only with Redis, and only for superusers, since it shows every project's jobs."""

import functools
import re
import secrets
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern
from django_rq.admin import QueueAdmin
from django_rq.models import Dashboard
from redis.exceptions import RedisError
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError

from projects.declared_lists import DeclaredListAdmin, RefusedParameters
from tracing_site.admin_site import error_page
from tracing_site.page_headers import content_security_policy

# django-rq's pages have inline scripts and styles, none of which holds data.
INLINE = re.compile(rb"<(script|style)(?=[ >])")


def mark_inline(response: HttpResponseBase) -> HttpResponseBase:
    """Give the page's own scripts and styles a nonce, without which the policy lets none run."""
    if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
        response.add_post_render_callback(mark_inline)
    elif isinstance(response, HttpResponse):
        nonce = secrets.token_urlsafe(16)
        response.content = INLINE.sub(rb'<\1 nonce="%s"' % nonce.encode(), response.content)
        sources = f"'self' 'nonce-{nonce}'"
        policy = content_security_policy(script_src=sources, style_src=sources)
        response.headers["Content-Security-Policy"] = policy
    return response


# What django-rq's pages raise where a job, queue, worker, result or scheduler is not there.
NOT_THERE = (
    NoSuchJobError,
    DeserializationError,
    InvalidJobOperation,
    LookupError,
    ValueError,
    TypeError,
    AssertionError,
    AttributeError,
    ImproperlyConfigured,
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
            try:
                return mark_inline(view(request, *args, **kwargs))
            except NOT_THERE as error:
                raise Http404("no such queue, job or worker") from error
            except RedisError:
                return error_page(request, "admin/no_redis.html", "Redis does not answer", 503)

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
