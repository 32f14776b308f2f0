"""What the API says of the server itself, and its errors outside of any view."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.views import defaults
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mlflow_sync.client import server_url
from traces.api.api_view import ApiView
from traces.api.encoding import CONTENT_TYPE
from traces.api.errors import ApiError, internal_error, invalid_argument, no_route, unavailable
from traces.api.openapi import ERRORS
from tracing_site.admin_site import error_page

HTML_PREFIX = "/admin"
API_PREFIX = "/v1/"


class GitSerializer(serializers.Serializer[Any]):
    tag = serializers.CharField(help_text="GIT_TAG of the settings.")


class MlflowServerSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Address of the MLflow server that traces are mirrored to, or off.")
    default_experiment_id = serializers.CharField(help_text="The experiment of projects that name none.")


class SystemSerializer(serializers.Serializer[Any]):
    version = serializers.CharField(help_text="Version of this server.")
    git = GitSerializer()
    mlflow = MlflowServerSerializer()


class SystemView(ApiView):
    @extend_schema(
        operation_id="get_system",
        tags=["system"],
        summary="Describe the server",
        description="Its version, and where it mirrors traces to.",
        responses={
            200: OpenApiResponse(
                SystemSerializer,
                "The server.",
                examples=[
                    OpenApiExample(
                        "Success",
                        {
                            "version": "0.1.0",
                            "git": {"tag": "0.1.0"},
                            "mlflow": {"url": "http://127.0.0.1:5000", "default_experiment_id": "0"},
                        },
                    )
                ],
            )
        }
        | {status: ERRORS[status] for status in (401, 403, 500, 503)},
    )
    def get(self, request: Request) -> Response:
        return Response(
            {
                "version": _version(),
                "git": {"tag": settings.GIT_TAG},
                "mlflow": {
                    "url": server_url(),
                    "default_experiment_id": settings.MLFLOW_DEFAULT_EXPERIMENT_ID,
                },
            }
        )


def _version() -> str:
    try:
        return version("django-llm-tracing")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return settings.GIT_TAG


def _json(error: ApiError) -> HttpResponse:
    return JsonResponse(error.body, status=error.status, headers=error.headers, content_type=CONTENT_TYPE)


def _is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)


def _is_read_by_a_person(request: HttpRequest) -> bool:
    """Whether a browser asks to show something: it names HTML before anything else."""
    preferred = request.get_preferred_type(["application/json", "text/html"])
    return request.method in {"GET", "HEAD"} and preferred == "text/html"


def database_unavailable(request: HttpRequest, error: DatabaseError) -> HttpResponse:
    """A page or an answer that asks nothing of the database."""
    answered = unavailable(error)
    if request.path.startswith(HTML_PREFIX):
        page = render_to_string("503.html", {"seconds": settings.RETRY_AFTER_SECONDS})
        return HttpResponse(page, status=503, headers=answered.headers)
    return _json(answered)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(HTML_PREFIX):
        return defaults.bad_request(request, exception)
    return _json(invalid_argument("The request is not valid", type(exception).__name__))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(HTML_PREFIX):
        return error_page(request, "403.html", "Not allowed", 403)
    return _json(ApiError(403, "PERMISSION_DENIED", str(exception) or "this is not allowed"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(HTML_PREFIX) or (not _is_for_programs(request) and _is_read_by_a_person(request)):
        answer = error_page(request, "404.html", "Not found", 404)
    else:
        answer = _json(no_route(f"Nothing is served at {request.path}; /docs lists the routes."))
    patch_vary_headers(answer, ("Accept",))
    return answer


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is handled. A database that is locked or away is not the program's fault: 503."""
    error = sys.exc_info()[1]
    if isinstance(error, OperationalError | InterfaceError):
        return database_unavailable(request, error)
    if request.path.startswith(HTML_PREFIX):
        return defaults.server_error(request)
    return _json(internal_error())
