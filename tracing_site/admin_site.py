"""The admin site: its navigation, its home page, and the headers of its pages."""

from importlib import import_module
from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.module_loading import import_string

from tracing_site.addresses import address_of, is_guess

# Group, then its lists: what they are called, their model and their icon in templates/admin/includes/icons.html.
NAVIGATION = (
    (
        "",
        (
            ("Traces", "traces_trace", "traces"),
            ("Spans", "spans_span", "spans"),
            ("Sessions", "traces_session", "sessions"),
            ("End users", "traces_enduser", "user"),
        ),
    ),
    (
        "Reading",
        (("Mapping rules", "spans_mappingrule", "rules"), ("Prices", "spans_modelprice", "prices")),
    ),
    (
        "Operate",
        (
            ("Receipts", "traces_exportreceipt", "receipts"),
            ("Rejected spans", "traces_rejectedspans", "rejected"),
            ("MLflow mirror", "mlflow_sync_mlflowtrace", "mirror"),
            ("Erasures", "mlflow_sync_erasure", "erase"),
            ("Queue", "django_rq_dashboard", "queue"),
        ),
    ),
    (
        "Settings",
        (
            ("Projects", "projects_project", "projects"),
            ("API keys", "projects_apikey", "key"),
            ("Accounts", "auth_user", "accounts"),
            ("Audit log", "projects_auditevent", "audit"),
        ),
    ),
)


def home(request: HttpRequest) -> dict[str, Any]:
    """What the home page shows; imported late, because the site exists before the models do."""
    return import_string("tracing_site.home.summary")(request)  # type: ignore[no-any-return]


def error_page(request: HttpRequest, template: str, title: str, status: int, **context: Any) -> HttpResponse:
    """A page of the admin that says why there is no other one."""
    context = {**admin.site.each_context(request), "title": title, **context}
    return render(request, template, context, status=status)


class TracingAdminSite(admin.AdminSite):
    site_title = "LLM tracing"
    site_header = "LLM tracing"
    index_title = "Home"
    site_url = None
    enable_nav_sidebar = False
    index_template = "admin/home.html"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No password is looked at where too many were wrong."""
        sign_in = import_module("projects.sign_in")
        seconds = sign_in.wait_seconds(request) if request.method == "POST" else 0
        self.login_form = sign_in.SignInForm
        if not seconds:
            return super().login(request, extra_context)
        title = "Too many failed sign-ins"
        response = error_page(request, "429.html", title, 429, come_back=sign_in.come_back(seconds))
        response.headers["Retry-After"], response.headers["Cache-Control"] = str(seconds), "no-store"
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        view = import_string("projects.sign_in.OwnPasswordView")
        request.current_app = self.name
        context = {**self.each_context(request), **(extra_context or {})}
        return cast(TemplateResponse, view.as_view(extra_context=context)(request))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Also where programs send traces, by HTTP and by gRPC."""
        navigation = self.navigation(request)
        entries = [entry for group in navigation for entry in group["entries"]]
        return {
            **super().each_context(request),
            "navigation": navigation,
            "current_list": next((entry for entry in entries if entry["is_current"]), None),
            "may_search": any(entry["icon"] == "traces" for entry in entries),
            "endpoint": address_of(request),
            "endpoint_is_guess": is_guess(request),
            "grpc_port": settings.GRPC_PORT,
        }

    def navigation(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The groups of lists that the user may open, the home page before them; nothing where there is none."""
        readable = {
            f"{model._meta.app_label}_{model._meta.model_name}"
            for model, model_admin in self._registry.items()
            if model_admin.has_module_permission(request) and model_admin.has_view_permission(request)
        }
        groups = []
        for label, lists in NAVIGATION:
            entries = []
            for name, model, icon in lists:
                if model in readable:
                    url = reverse(f"{self.name}:{model}_changelist")
                    is_current = request.path.startswith(url)
                    entries.append({"label": name, "url": url, "icon": icon, "is_current": is_current})
            if entries:
                groups.append({"label": label, "entries": entries})
        if groups:
            url = reverse(f"{self.name}:index")
            own = {"label": "Home", "url": url, "icon": "home", "is_current": request.path == url}
            groups.insert(0, {"label": "", "entries": [own]})
        return groups

    def get_urls(self) -> list[Any]:
        """Without Django's redirect to an object's page on another site: no model of ours has one."""
        page = import_string("tracing_site.send_traces.send_traces")
        others = [pattern for pattern in super().get_urls() if getattr(pattern, "name", "") != "view_on_site"]
        return [path("send/", self.admin_view(page), name="send_traces"), *others]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**home(request), **(extra_context or {})})
