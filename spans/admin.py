"""Mapping rules and prices in the admin. A rule is tried on the latest spans before it is saved."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from projects.roles import Role, may, project_ids
from projects.scoped_admin import ProjectListFilter, ProjectScopedAdmin
from spans.models import MappingRule, ModelPrice
from spans.rule_preview import preview
from spans.semconv.fields import FIELDS

PREVIEW = "_preview"


class ConventionsAdmin(ProjectScopedAdmin):
    """Everybody in a project sees them; editors and owners change them."""

    add_role = change_role = delete_role = Role.EDITOR
    list_select_related = ("project",)
    list_filter: ClassVar[Any] = (ProjectListFilter,)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ("project",) if obj is not None else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        projects = project_ids(request.user, Role.EDITOR)
        return {"project": projects[0] if len(projects) == 1 else None, **super().get_changeform_initial_data(request)}

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            row.delete()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if not getattr(request.user, "is_superuser", False):
            # Django asks for the right once, not for each row's project.
            actions.pop("delete_selected", None)
        return actions


class MappingRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    field = forms.ChoiceField(
        choices=[(field.name, f"{field.name}: {field.about}") for field in FIELDS],
        help_text="The normalized field that the value is for.",
    )

    class Meta:
        model = MappingRule
        fields = ("project", "name", "pattern", "json_path", "field", "value_map", "priority", "enabled")
        widgets = {"value_map": forms.Textarea(attrs={"rows": 3, "cols": 60})}

    def is_valid(self) -> bool:
        """A form that is only tried is never saved."""
        return super().is_valid() and PREVIEW not in self.data


@admin.register(MappingRule)
class MappingRuleAdmin(ConventionsAdmin):
    purpose = (
        "A rule takes the value of an attribute of your own for a field that is shown, filtered and counted by. "
        "Where there is none, the built-in conventions decide."
    )
    form = MappingRuleForm
    change_form_template = "admin/spans/mappingrule/change_form.html"
    list_display = ("name", "project", "pattern", "json_path", "field", "priority", "enabled")
    list_filter = (ProjectListFilter, "enabled")
    search_fields = ("name", "pattern", "field")

    def render_change_form(  # type: ignore[override]
        self, request: HttpRequest, context: dict[str, Any], **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if PREVIEW in request.POST and form.is_bound and not form.errors:
            rule: MappingRule = form.instance
            if may(request.user, Role.EDITOR, rule.project_id):
                context["preview"] = preview(rule)
        return super().render_change_form(request, context, **kwargs)


@admin.register(ModelPrice)
class ModelPriceAdmin(ConventionsAdmin):
    purpose = "What a model costs where the built-in prices don't know it, or where you pay something else."
    list_display = (
        "model",
        "provider",
        "project",
        "input_usd",
        "output_usd",
        "cached_input_usd",
        "valid_from",
        "valid_to",
    )
    search_fields = ("model", "provider")
    fieldsets = (
        (None, {"fields": ("project", "model", "provider")}),
        ("Price", {"fields": ("input_usd", "output_usd", "cached_input_usd")}),
        ("Days on which it holds", {"fields": ("valid_from", "valid_to")}),
    )
