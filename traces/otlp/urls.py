"""Routes of OTLP's signals beside traces."""

from django.urls import path

from traces.otlp import views

urlpatterns = [
    path("v1/logs", views.LogsView.as_view()),
    path("v1/metrics", views.MetricsView.as_view()),
]
