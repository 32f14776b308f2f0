"""Routes of the read API, and of receiving OTLP: POST /v1/traces shares its path with the list."""

from django.urls import path, re_path

from traces.api import audit_views, export_views, log_views, session_views, views

urlpatterns = [
    path("v1/traces", views.TracesView.as_view()),
    path("v1/traces/", views.EmptyIdView.as_view()),
    path("v1/traces/delete", views.DeleteTracesView.as_view()),
    path("v1/traces/<str:id>", views.TraceDetailView.as_view()),
    path("v1/traces/<str:trace_id>/spans", views.TraceSpansView.as_view()),
    path("v1/traces/<str:trace_id>/spans/<str:span_id>", views.SpanDetailView.as_view()),
    path("v1/traces/<str:trace_id>/usage", session_views.TraceUsageView.as_view()),
    path("v1/traces/<str:trace_id>/otlp", views.TraceOtlpView.as_view()),
    path("v1/traces/<str:trace_id>/logs", log_views.TraceLogsView.as_view()),
    path("v1/traces/<str:trace_id>/otlp-logs", log_views.TraceOtlpLogsView.as_view()),
    path("v1/logs", export_views.LogsView.as_view()),
    path("v1/metrics", export_views.MetricsView.as_view()),
    path("v1/audit", audit_views.AuditView.as_view()),
    path("v1/spans", views.SpansView.as_view()),
    # Ids are any text, slashes and line breaks among it.
    path("v1/sessions", session_views.SessionsView.as_view()),
    re_path(r"^v1/sessions/(?P<id>[\s\S]+)$", session_views.SessionView.as_view()),
    path("v1/users", session_views.UsersView.as_view()),
    re_path(r"^v1/users/(?P<id>[\s\S]+)$", session_views.UserView.as_view()),
]
