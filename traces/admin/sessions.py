"""Sessions and end users in the admin: lists and pages of their own over the traces that share an id."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from projects.declared_lists import RefusedParameters
from projects.scoped_admin import ProjectScopedAdmin
from traces.admin import session_pages
from traces.admin.filters import ProjectFilter, TimeRangeFilter
from traces.admin.trace_page import trace_or_404
from traces.models import EndUser, Session
from traces.reading.sessions import SESSIONS, USERS, Grouping


class GroupAdmin(ProjectScopedAdmin):
    """A list of groups of traces, and a page for each."""

    grouping: Grouping
    list_filter = (TimeRangeFilter, ProjectFilter)
    list_parameters = frozenset({SEARCH_VAR, "before"})

    def get_urls(self) -> list[URLPattern]:
        name = session_pages.ADMIN_NAMES[self.grouping.name]
        page = path("page/", self.admin_site.admin_view(self.page_view), name=f"{name}_page")
        return [page, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            self.check_parameters(request)
            context = session_pages.list_page(request, self, self.grouping)
        except RefusedParameters as error:
            return self.refuse(request, error)
        except IncorrectLookupParameters as error:
            return self.show_all(request, error)
        plural = str(self.opts.verbose_name_plural).capitalize()
        return self.respond(request, "admin/traces/session/list.html", context | {"title": plural})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of the group that the trace with this key belongs to."""
        trace = trace_or_404(self.get_queryset(request), object_id)
        identifier = getattr(trace, self.grouping.field)
        return HttpResponseRedirect(session_pages.group_url(self.grouping.name, identifier, trace.project_id, trace.pk))

    def page_view(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError

    def respond(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}
        )


@admin.register(Session)
class SessionAdmin(GroupAdmin):
    grouping = SESSIONS

    def page_view(self, request: HttpRequest) -> HttpResponse:
        context = session_pages.session_page(request)
        return self.respond(request, "admin/traces/session/page.html", context | {"title": context["group"].id})


@admin.register(EndUser)
class EndUserAdmin(GroupAdmin):
    grouping = USERS

    def page_view(self, request: HttpRequest) -> HttpResponse:
        context = session_pages.user_page(request, self.grouping)
        return self.respond(request, "admin/traces/session/user.html", context | {"title": context["group"].id})
