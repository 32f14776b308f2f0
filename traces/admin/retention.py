"""What a project's retention would delete, in the admin: the dry run before its days are changed."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from projects.admin import ProjectAdmin, register_project_page
from projects.models import Project
from traces.upkeep.retention import expiry_of

MAX_DAYS = 36_500


class DaysForm(forms.Form):
    days = forms.IntegerField(min_value=1, max_value=MAX_DAYS, label="With a retention of days")


def retention_page(model_admin: ProjectAdmin, request: HttpRequest, key: int) -> HttpResponse:
    """What the saved rules and `days`, or the saved retention, would delete now. Reads the traces past it once."""
    project: Project = get_object_or_404(model_admin.get_queryset(request), pk=key)
    if not model_admin.has_change_permission(request, project):
        raise PermissionDenied
    form = DaysForm(request.GET if "days" in request.GET else {"days": project.effective_retention_days})
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "title": "What expires",
        "opts": model_admin.opts,
        "project": project,
        "form": form,
    }
    if form.is_valid():
        expiry = expiry_of(project, days=form.cleaned_data["days"])
        traces, spans = expiry.count_expired()
        context |= {"before": expiry.before, "traces": traces, "spans": spans, "kept": expiry.count_kept()}
    return TemplateResponse(request, "admin/projects/project/retention.html", context)


register_project_page("retention", retention_page)
