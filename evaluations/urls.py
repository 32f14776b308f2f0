"""Routes of scores."""

from django.urls import path

from evaluations.views import ScoresView

urlpatterns = [path("v1/scores", ScoresView.as_view())]
