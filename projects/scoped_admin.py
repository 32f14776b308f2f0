"""The admin of what belongs to a project: rights come from memberships, not from Django's permission rows."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import ForeignKey, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponseRedirect

from projects.declared_lists import DeclaredListAdmin
from projects.models import Project
from projects.roles import Role, may, project_ids


class ProjectListFilter(admin.SimpleListFilter):
    """Only the projects that the user may see."""

    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        visible = Project.objects.filter(pk__in=project_ids(request.user))
        return [(str(key), name) for key, name in visible.order_by("name").values_list("pk", "name")]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1 or bool(self.used_parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen is None:
            return queryset
        if chosen not in dict(self.lookup_choices):
            raise IncorrectLookupParameters(f"There is no project {chosen} that you may see.")
        return queryset.filter(project=chosen)


class ProjectScopedAdmin(DeclaredListAdmin):
    """Lists and pages show rows of the user's projects only; what lies elsewhere is not found (404).

    The role fields say who may do what; None is nobody.
    """

    project_field = "project_id"
    purpose = ""
    """What the list is for, above it."""
    view_role: Role = Role.VIEWER
    add_role: Role | None = None
    change_role: Role | None = None
    delete_role: Role | None = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if getattr(request.user, "is_superuser", False):
            return rows
        return rows.filter(**{f"{self.project_field}__in": project_ids(request.user, self.view_role)})

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """A row can be put only into projects in which the user may add one."""
        if db_field.name == "project" and self.add_role is not None:
            kwargs["queryset"] = Project.objects.filter(pk__in=project_ids(request.user, self.add_role))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _allows(self, request: HttpRequest, role: Role | None, row: Model | None) -> bool:
        return role is not None and may(request.user, role, None if row is None else getattr(row, self.project_field))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._allows(request, self.view_role, None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._allows(request, self.view_role, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._allows(request, self.add_role, None)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._allows(request, self.change_role, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._allows(request, self.delete_role, obj)

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponseRedirect:
        raise Http404(f"no {opts.verbose_name} with this id")
