"""Projects and their keys, and where Django looks for the admin of this app: importing a module registers its part."""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from projects import account_admin as account_admin
from projects import audit_admin as audit_admin
from projects.members_admin import MemberInline, let_in
from projects.models import ApiKey, DailyUsage, Project, ProjectMembership, RetentionRule
from projects.moments import moment_column
from projects.roles import Role, project_ids
from projects.scoped_admin import ProjectScopedAdmin

SCOPES = ("can_ingest", "can_read", "can_write", "can_audit")


class RetentionRuleInline(admin.TabularInline):  # type: ignore[type-arg]
    """Traces that a project keeps for longer."""

    model = RetentionRule
    extra = 0
    has_view_permission = MemberInline.has_view_permission
    has_add_permission = MemberInline.has_view_permission
    has_change_permission = MemberInline.has_view_permission
    has_delete_permission = MemberInline.has_view_permission


# What all projects share belongs to whoever runs the installation: what may come in, and where in MLflow it goes.
OPERATORS_FIELDS = (
    "mlflow_experiment_id",
    "rate_limit_spans",
    "rate_limit_requests",
    "daily_quota_spans",
    "daily_quota_bytes",
)


# What apps above show of a project at a page of its own: the end of its address, and the view, which is called with
# this admin, the request and the project's key.
ProjectView = Callable[["ProjectAdmin", HttpRequest, int], HttpResponse]
_pages: dict[str, ProjectView] = {}


def register_project_page(name: str, view: ProjectView) -> None:
    """The page /admin/projects/project/<id>/<name>/, reversed as `admin:projects_project_<name>`."""
    _pages[name] = view


@admin.register(Project)
class ProjectAdmin(ProjectScopedAdmin):
    """Superusers make projects and set their limits and experiments; owners change the rest of theirs."""

    purpose = "Traces, keys and members belong to a project, which says what is mirrored, kept and let in."
    project_field = "pk"
    change_role = Role.OWNER
    list_display = (
        "name",
        "slug",
        "mirror_policy",
        "experiment",
        "retention",
        "used_today",
        "traces_link",
        "conventions",
        moment_column("created_at", "Created"),
    )
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (RetentionRuleInline, MemberInline)
    readonly_fields = ("used_today",)
    fieldsets = (
        (None, {"fields": ("name", "slug")}),
        ("MLflow mirror", {"fields": ("mirror_policy", "mirror_sample_percent", "mlflow_experiment_id")}),
        ("Retention", {"fields": ("retention_days",)}),
        (
            "Rate limits and daily quotas",
            {
                "description": "Past them, senders are told when to come again (429, gRPC RESOURCE_EXHAUSTED). "
                "Superusers set them.",
                "fields": (
                    ("rate_limit_spans", "rate_limit_requests"),
                    ("daily_quota_spans", "daily_quota_bytes"),
                    "used_today",
                ),
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(f"<int:key>/{name}/", self.admin_site.admin_view(partial(view, self)), name=f"projects_project_{name}")
            for name, view in _pages.items()
        ]
        return [*pages, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only an empty project: its traces would otherwise belong to nobody."""
        superuser = bool(getattr(request.user, "is_superuser", False))
        return superuser and (obj is None or not obj.traces.exists())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        is_superuser = bool(getattr(request.user, "is_superuser", False))
        return self.readonly_fields if is_superuser else (*self.readonly_fields, *OPERATORS_FIELDS)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return super().get_prepopulated_fields(request, obj) if obj is None else {}

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is ProjectMembership:
            names = let_in([membership.user for membership in formset.new_objects])
            if names:
                messages.info(request, f"{', '.join(names)} may now sign in.")

    @admin.display(description="MLflow experiment")
    def experiment(self, project: Project) -> str:
        return project.effective_experiment_id

    @admin.display(description="Retention")
    def retention(self, project: Project) -> str:
        return f"{project.effective_retention_days} days"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        today = DailyUsage.objects.filter(project=OuterRef("pk"), day=datetime.datetime.now(datetime.UTC).date())
        rows: QuerySet[Any] = super().get_queryset(request)
        rows = rows.annotate(spans_today=Subquery(today.values("spans")), bytes_today=Subquery(today.values("bytes")))
        return rows

    @admin.display(description="Used today (UTC)")
    def used_today(self, project: Any) -> SafeString:
        spans, size = getattr(project, "spans_today", None) or 0, getattr(project, "bytes_today", None) or 0
        spans_quota = f" of {project.daily_quota_spans:,}" if project.daily_quota_spans else ""
        bytes_quota = f" of {filesizeformat(project.daily_quota_bytes)}" if project.daily_quota_bytes else ""
        return format_html("{}{} spans<br>{}{}", f"{spans:,}", spans_quota, filesizeformat(size), bytes_quota)

    @admin.display(description="Conventions")
    def conventions(self, project: Project) -> SafeString:
        pages = (("Rules", "admin:spans_mappingrule_changelist"), ("Prices", "admin:spans_modelprice_changelist"))
        return format_html_join(
            " · ",
            '<a href="{}?project={}">{}</a>',
            ((reverse(name), project.pk, label) for label, name in pages),
        )

    @admin.display(description="Traces")
    def traces_link(self, project: Project) -> SafeString:
        return format_html('<a href="{}?project={}">Traces</a>', reverse("admin:traces_trace_changelist"), project.pk)


@admin.register(ApiKey)
class ApiKeyAdmin(ProjectScopedAdmin):
    """Owners issue and revoke keys. The text of a key is shown once, right after it is made."""

    purpose = "Programs send and read traces with a key. Its text is shown once, right after it is made."
    view_role = add_role = change_role = Role.OWNER
    list_display = (
        "name",
        "project",
        "prefix",
        "scopes",
        "state",
        moment_column("created_at", "Created"),
        moment_column("last_used_at", "Last used"),
        moment_column("expires_at", "Expires"),
    )
    list_select_related = ("project",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        fields = ("project", "name", "can_ingest", "can_read", "can_write", "can_audit", "expires_at")
        return fields if obj is None else (*fields, "prefix", "created_at", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("project", "prefix", "created_at", "last_used_at", "revoked_at")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Where there is no choice, the project is chosen."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        projects = project_ids(request.user, Role.OWNER)
        return {"project": projects[0], **initial} if len(projects) == 1 else initial

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Saving always leads to the page with the key's text, so there is one button for it."""
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**one_button, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        scopes = {name: getattr(obj, name) for name in (*SCOPES, "expires_at")}
        row, obj.issued_text = ApiKey.objects.issue(obj.project, obj.name, **scopes)
        obj.pk, obj.prefix = row.pk, row.prefix

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """The only page that ever shows the key's text."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"API key “{obj.name}”",
            "opts": self.opts,
            "api_key": obj,
            "key_text": obj.issued_text,
        }
        return TemplateResponse(request, "admin/projects/apikey/issued.html", context)

    @admin.action(description="Revoke selected API keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """One by one, for the audit log."""
        count = 0
        for key in queryset.filter(revoked_at=None):
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            count += 1
        messages.success(request, f"{count} API key{'' if count == 1 else 's'} revoked.")

    @admin.display(description="Scopes")
    def scopes(self, key: ApiKey) -> str:
        return ", ".join(scope.removeprefix("can_") for scope in SCOPES if getattr(key, scope)) or "none"

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            name = "revoked"
        elif key.expires_at and key.expires_at <= timezone.now():
            name = "expired"
        else:
            name = "active"
        return format_html('<span class="state state-{}">{}</span>', name, name)
