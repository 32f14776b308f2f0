"""System checks of the settings. The ids are stable: people silence and look them up by them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from mlflow_sync.client import address_credentials, is_enabled
from projects.models import EXPERIMENT_ID
from tracing_site.owner_only import open_paths

MIN_BODY_BYTES = 64 * 1024
MAX_BODY_BYTES = 2**31 - 1
MIN_KEY_LENGTH = 16


@register
def check_limits(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if not MIN_BODY_BYTES <= settings.MAX_BODY_BYTES <= MAX_BODY_BYTES:
        messages.append(
            Error(
                f"MAX_BODY_BYTES is {settings.MAX_BODY_BYTES}.",
                hint=f"Between {MIN_BODY_BYTES} (a usual batch of spans) and {MAX_BODY_BYTES} (protobuf's own limit).",
                id="tracing.E001",
            )
        )
    if settings.DATA_EXPIRATION_IN_DAYS < 1:
        messages.append(
            Error(
                f"DATA_EXPIRATION_IN_DAYS is {settings.DATA_EXPIRATION_IN_DAYS}, which would delete every trace.",
                hint="A number of days, at least 1.",
                id="tracing.E002",
            )
        )
    return messages


@register
def check_addresses(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if settings.REDIS_URL and not is_url(settings.REDIS_URL, "redis", "rediss"):
        messages.append(Error("REDIS_URL is no Redis URL.", hint="redis://host:6379/0", id="tracing.E003"))
    if is_enabled() and not is_url(settings.MLFLOW_TRACKING_URI, "http", "https"):
        messages.append(
            Error(
                "MLFLOW_TRACKING_URI is no HTTP URL.",
                hint="The address of an MLflow server, such as http://mlflow:5000, or off for no mirror.",
                id="tracing.E004",
            )
        )
    if settings.PUBLIC_URL and not is_url(settings.PUBLIC_URL, "http", "https"):
        messages.append(Error("PUBLIC_URL is no HTTP URL.", hint="https://traces.example.org", id="tracing.E005"))
    return messages


@register
def check_mlflow_experiment(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if EXPERIMENT_ID.fullmatch(settings.MLFLOW_DEFAULT_EXPERIMENT_ID):
        return []
    return [
        Error(
            "MLFLOW_DEFAULT_EXPERIMENT_ID is no experiment id.",
            hint="A number, as MLflow shows it.",
            id="tracing.E008",
        )
    ]


@register
def check_mlflow_authorization(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    in_address = address_credentials()
    if in_address is not None and settings.MLFLOW_AUTHORIZATION == "BASE_AUTH":
        return [
            Error(
                "There is a name for MLflow in MLFLOW_TRACKING_URI, and another with MLFLOW_AUTHORIZATION.",
                hint="Leave one of the two out.",
                id="tracing.E009",
            )
        ]
    if in_address is not None and not all(in_address):
        return [
            Error(
                "MLFLOW_TRACKING_URI has a name without a password, or a password without a name.",
                hint="http://NAME:PASSWORD@host:5000, with % codes for characters that an address can't hold.",
                id="tracing.E009",
            )
        ]
    if settings.MLFLOW_AUTHORIZATION not in {"NO_AUTH", "BASE_AUTH"}:
        return [Error("MLFLOW_AUTHORIZATION is unknown.", hint="NO_AUTH or BASE_AUTH.", id="tracing.E006")]
    if settings.MLFLOW_AUTHORIZATION == "BASE_AUTH" and not (settings.MLFLOW_USERNAME and settings.MLFLOW_PASSWORD):
        return [
            Error(
                "MLFLOW_AUTHORIZATION is BASE_AUTH, but there is no name or no password.",
                hint="Set MLFLOW_USERNAME and MLFLOW_PASSWORD.",
                id="tracing.E007",
            )
        ]
    return []


@register(Tags.security)
def check_files(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    left = open_paths()
    if not left:
        return []
    return [
        Warning(
            f"Other accounts of this machine have rights to {', '.join(map(str, left[:5]))}.",
            hint="They belong to another account than the platform's, which can't change that: chown or chmod them.",
            id="tracing.W003",
        )
    ]


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if settings.AUTH_KEY and len(settings.AUTH_KEY) < MIN_KEY_LENGTH:
        messages.append(
            Warning(
                f"AUTH_KEY has fewer than {MIN_KEY_LENGTH} characters.",
                hint="openssl rand -hex 32 makes a good one.",
                id="tracing.W001",
            )
        )
    if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        messages.append(
            Warning(
                "The database is SQLite, which has one writer at a time and lives on one machine.",
                hint="Set DATABASE_URL to a PostgreSQL database.",
                id="tracing.W002",
            )
        )
    return messages


def is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname) and has_port
