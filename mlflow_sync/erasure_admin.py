"""Erasures in the admin: receipts, and the page that asks for a new one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from mlflow_sync.erasure import Subject, erase, extent, subject_hash
from mlflow_sync.models import Erasure
from projects.models import Project
from projects.roles import Role, project_ids
from projects.scoped_admin import ProjectScopedAdmin


class SubjectForm(forms.Form):
    project = forms.ModelChoiceField(Project.objects.none())
    kind = forms.ChoiceField(choices=Erasure.Kind.choices, label="Erase by")
    identifier = forms.CharField(strip=False, max_length=50_000, label="Id", help_text="Exactly as it was sent.")

    def __init__(self, data: Any, projects: QuerySet[Project]) -> None:
        super().__init__(data)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]

    def subject(self) -> Subject:
        values = self.cleaned_data
        return Subject(values["project"], Erasure.Kind(values["kind"]), values["identifier"])


@admin.register(Erasure)
class ErasureAdmin(ProjectScopedAdmin):
    """Owners ask for erasures and see their receipts; nobody changes one."""

    purpose = (
        "An erasure deletes every trace of a user or session, here and in MLflow. Its receipt holds a hash of the id."
    )
    view_role = add_role = Role.OWNER
    list_display = (
        "requested_at",
        "project_slug",
        "kind",
        "short_hash",
        "requested_by",
        "trace_count",
        "span_count",
        "rejected_span_count",
        "mlflow_trace_count",
        "completed_at",
        "mlflow_confirmed_at",
    )
    search_fields = ("subject_hash",)
    search_help_text = "A user or session id, exactly: was it erased?"
    sortable_by = ()
    empty_value_display = "not yet"
    actions = None
    exclude = ("project",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        return queryset.filter(subject_hash__in=[subject_hash(kind, search_term) for kind in Erasure.Kind]), False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, show what it would delete, and with `confirmed` delete it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        projects = Project.objects.filter(pk__in=project_ids(request.user, Role.OWNER))
        form = SubjectForm(request.POST or None, projects)
        found = None
        if form.is_valid():
            if request.POST.get("confirmed"):
                return self._erase(request, form.subject())
            found = extent(form.subject())
        context = {
            **self.admin_site.each_context(request),
            "title": "Erase a user or session",
            "opts": self.opts,
            "form": form,
            "found": found,
        }
        return TemplateResponse(request, "admin/mlflow_sync/erasure/add.html", context)

    def _erase(self, request: HttpRequest, subject: Subject) -> HttpResponse:
        receipt = erase(subject, request.user.get_username())
        messages.success(
            request,
            f"{receipt.trace_count} traces deleted here; {receipt.mlflow_trace_count} are being deleted in MLflow.",
        )
        return HttpResponseRedirect(reverse("admin:mlflow_sync_erasure_changelist"))

    @admin.display(description="Id (keyed hash)")
    def short_hash(self, erasure: Erasure) -> str:
        return erasure.subject_hash[:12] + "…"
