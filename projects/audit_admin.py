"""The audit log in the admin: owners see their projects' entries, superusers all; nobody changes one."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from projects.models import AuditEvent
from projects.moments import moment_column
from projects.roles import Role
from projects.scoped_admin import ProjectListFilter, ProjectScopedAdmin

CREATED = moment_column("created_at", "When")


@admin.register(AuditEvent)
class AuditEventAdmin(ProjectScopedAdmin):
    purpose = "Who did what, when and from where. Sign-ins and accounts are for superusers. Nobody changes an entry."
    view_role = Role.OWNER
    list_display = (CREATED, "who", "did", "what", "project_slug", "changed", "address")
    list_display_links = (CREATED,)
    list_filter = (ProjectListFilter, "action")
    search_fields = ("actor", "object_name", "address")
    search_help_text = "Who, a name, or an address"
    date_hierarchy = None
    sortable_by = ()
    show_full_result_count = False
    actions = None
    fields = ("created_at", "who", "did", "what", "object_id", "project_slug", "changed", "address", "request_id")

    @admin.display(description="Who")
    def who(self, event: AuditEvent) -> str:
        return event.actor or "nobody signed in"

    @admin.display(description="Did")
    def did(self, event: AuditEvent) -> str:
        return event.get_action_display()

    @admin.display(description="What")
    def what(self, event: AuditEvent) -> str:
        return f"{event.object_type} {event.object_name}".strip()

    @admin.display(description="Before → after")
    def changed(self, event: AuditEvent) -> SafeString:
        rows = ((name, shown(change["before"]), shown(change["after"])) for name, change in event.changes.items())
        return format_html_join("\n", "<div>{}: {} → {}</div>", rows)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_delete_permission = has_change_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


def shown(value: Any) -> str:
    return "nothing" if value is None or value == "" else str(value)
