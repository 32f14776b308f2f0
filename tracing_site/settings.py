"""Settings, and the only reader of the environment. docs/settings.md lists every variable."""

import os
import secrets
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    """The variable, stripped; an empty variable counts as unset."""
    return os.environ.get(name, "").strip() or default


def env_int(name: str, default: int, minimum: int | None = None, maximum: int | None = None) -> int:
    text = env(name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise SystemExit(f"{name} must be a whole number, not {text!r}.") from None
    if minimum is not None and value < minimum:
        raise SystemExit(f"{name} must be at least {minimum}, not {value}.")
    if maximum is not None and value > maximum:
        raise SystemExit(f"{name} must be at most {maximum}, not {value}.")
    return value


def env_bool(name: str, default: bool) -> bool:
    text = env(name, str(default)).lower()
    if text not in {"true", "false", "1", "0"}:
        raise SystemExit(f"{name} must be true or false, not {text!r}.")
    return text in {"true", "1"}


# Where the embedded default keeps its files
DATA_DIR = Path(env("DATA_DIR", str(BASE_DIR / "data"))).resolve()


def stored_secret_key() -> str:
    """The key kept in DATA_DIR, made at the first start, readable by its owner only.

    Another process may be writing it at this moment.
    """
    path = DATA_DIR / "secret-key"
    if not path.exists():
        DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(64))
        except FileExistsError:
            pass
    for _ in range(100):
        if key := path.read_text():
            return key
        time.sleep(0.01)
    raise SystemExit(f"{path} is empty. Remove it, and a new key is made; whoever was signed in has to sign in again.")


try:
    SECRET_KEY = env("SECRET_KEY") or stored_secret_key()
except OSError as error:
    raise SystemExit(f"DATA_DIR can't be used: {error.strerror}: {error.filename}.") from None
DEBUG = env_bool("DEBUG", False)
# This machine's own names lead nobody elsewhere.
ALLOWED_HOSTS = [*(host.strip() for host in env("ALLOWED_HOSTS", "*").split(",")), "localhost", "127.0.0.1", "[::1]"]

# Listening
HOST = env("HOST", "127.0.0.1")
PORT = env_int("PORT", 8000, 1, 65535)
GRPC_PORT = env_int("GRPC_PORT", 4317, 1, 65535)
MLFLOW_PORT = env_int("MLFLOW_PORT", 5000, 1, 65535)
WEB_THREADS = env_int("WEB_THREADS", 8, 1)
MAX_CONNECTIONS = env_int("MAX_CONNECTIONS", 2_000, 8)
MAX_CONNECTIONS_PER_ADDRESS = env_int("MAX_CONNECTIONS_PER_ADDRESS", max(MAX_CONNECTIONS // 2, 1), 1)

# Behind a proxy that ends TLS: its address, https://…, makes cookies secure and sends browsers to it
PUBLIC_URL = env("PUBLIC_URL").rstrip("/")
if PUBLIC_URL.startswith("https://"):
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_SSL_HOST = PUBLIC_URL.removeprefix("https://")
    # Programs inside the network speak plain HTTP, and exporters don't follow redirects.
    SECURE_REDIRECT_EXEMPT = [r"^v1/", r"^health$", r"^readyz$", r"^system$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# HSTS for sibling domains and browsers' preload lists are not ours to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Proxies whose X-Forwarded-For says where a request comes from: addresses and networks. Behind a proxy on this machine
# its own address is right.
TRUSTED_PROXIES = env("TRUSTED_PROXIES", "127.0.0.1,::1" if PUBLIC_URL else "")
for _proxy in filter(None, TRUSTED_PROXIES.split(",")):
    try:
        ip_network(_proxy.strip())
    except ValueError:
        raise SystemExit(f"TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8, not {_proxy!r}.") from None

# Ingest
AUTH_KEY = env("AUTH_KEY")
MAX_BODY_BYTES = env_int("MAX_BODY_BYTES", env_int("FASTIFY_BODY_LIMIT", 64 * 1024 * 1024))
MAX_CONCURRENT_EXPORTS = env_int("MAX_CONCURRENT_EXPORTS", 128, 1)
RETRY_AFTER_SECONDS = env_int("RETRY_AFTER_SECONDS", 2, 1)
MAX_SPANS_PER_REQUEST = env_int("MAX_SPANS_PER_REQUEST", 100_000, 1)
MAX_RESOURCES_PER_REQUEST = env_int("MAX_RESOURCES_PER_REQUEST", 20_000, 1)
MAX_ELEMENTS_PER_REQUEST = env_int("MAX_ELEMENTS_PER_REQUEST", 1_000_000, 1)
MAX_ATTRIBUTES_PER_SPAN = env_int("MAX_ATTRIBUTES_PER_SPAN", 20_000, 0)
MAX_EVENTS_PER_SPAN = env_int("MAX_EVENTS_PER_SPAN", 20_000, 0)
MAX_LINKS_PER_SPAN = env_int("MAX_LINKS_PER_SPAN", 20_000, 0)
MAX_LOGS_PER_SPAN = env_int("MAX_LOGS_PER_SPAN", 1_000, 0)
MAX_LOGS_PER_TRACE = env_int("MAX_LOGS_PER_TRACE", 10_000, 0)
MAX_LOG_VALUE_BYTES = env_int("MAX_LOG_VALUE_BYTES", 1024 * 1024, 1)
MAX_ATTRIBUTE_VALUE_BYTES = env_int("MAX_ATTRIBUTE_VALUE_BYTES", 32 * 1024 * 1024, 1)
MAX_FIELD_BYTES = env_int("MAX_FIELD_BYTES", 4096, 1024, 64 * 1024)
MAX_ANSWER_BYTES = env_int("MAX_ANSWER_BYTES", 32 * 1024 * 1024, 1)
LOCK_TIMEOUT_SECONDS = env_int("LOCK_TIMEOUT_SECONDS", 5, 1)
STATEMENT_TIMEOUT_SECONDS = env_int("STATEMENT_TIMEOUT_SECONDS", 60, 0)
RECEIPT_DAYS = env_int("RECEIPT_DAYS", 30, 0)
AUDIT_DAYS = env_int("AUDIT_DAYS", 365, 1)
DELETED_TRACE_DAYS = env_int("DELETED_TRACE_DAYS", 7, 0)
REJECTED_SPANS_DAYS = env_int("REJECTED_SPANS_DAYS", 7, 0)
DATA_EXPIRATION_IN_DAYS = env_int("DATA_EXPIRATION_IN_DAYS", 7)

# MLflow: a URL, or "off" for no mirror
MLFLOW_TRACKING_URI = env("MLFLOW_TRACKING_URI", env("MLFLOW_API_URL")) or "off"
if MLFLOW_TRACKING_URI.lower() == "off":
    MLFLOW_TRACKING_URI = "off"
# `manage.py serve` starts an MLflow of its own unless one of the two says something
MLFLOW_CONFIGURED = bool(env("MLFLOW_TRACKING_URI") or env("MLFLOW_API_URL"))
# An MLflow of its own knows no accounts, so that it is for one person, unless asked for.
LOCAL_MLFLOW = env("LOCAL_MLFLOW", "single").lower()
if LOCAL_MLFLOW not in {"single", "always", "off"}:
    raise SystemExit(f"LOCAL_MLFLOW must be single, always or off, not {LOCAL_MLFLOW!r}.")
MLFLOW_AUTHORIZATION = env("MLFLOW_AUTHORIZATION", "NO_AUTH")
MLFLOW_USERNAME = env("MLFLOW_USERNAME")
MLFLOW_PASSWORD = env("MLFLOW_PASSWORD")
MLFLOW_DEFAULT_EXPERIMENT_ID = env("MLFLOW_DEFAULT_EXPERIMENT_ID", "0")

# Database: SQLite in DATA_DIR unless DATABASE_URL names another
DATABASE_URL = env("DATABASE_URL", f"sqlite:///{quote(str(DATA_DIR / 'tracing.sqlite3'))}")
if DATABASE_URL.partition(":")[0] not in {"sqlite", "postgresql", "postgres"}:
    raise SystemExit(f"DATABASE_URL must be a sqlite:// or postgresql:// URL, not {DATABASE_URL.partition(':')[0]}://.")
DATABASE_REPLICA_URL = env("DATABASE_REPLICA_URL")
DATABASE_TRANSACTION_POOLING = env_bool("DATABASE_TRANSACTION_POOLING", False)
DATABASE_PREPARE_THRESHOLD = env_int("DATABASE_PREPARE_THRESHOLD", 0 if DATABASE_TRANSACTION_POOLING else 5, 0)


# libpq's defaults wait hours for a server that has gone without a word, and with it every request of a group commit.
VANISHED_SERVER = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def postgres(url: str) -> dict[str, Any]:
    database: dict[str, Any] = {**dj_database_url.parse(url, conn_max_age=None, conn_health_checks=True)}
    # A cursor on the server belongs to a session, and a transaction pooler gives each transaction another one.
    database["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_TRANSACTION_POOLING
    options = database["OPTIONS"] = VANISHED_SERVER | database.get("OPTIONS", {})
    options["prepare_threshold"] = DATABASE_PREPARE_THRESHOLD or None
    # Only statements whose parameters the server binds can be prepared.
    options["server_side_binding"] = DATABASE_PREPARE_THRESHOLD > 0
    return database


DATABASES: dict[str, Any] = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=None, conn_health_checks=True)}
ON_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if ON_SQLITE:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
    DATABASES["default"]["OPTIONS"] = {
        # A writer takes its lock at BEGIN, so that two never deadlock on the upgrade from reading to writing.
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
        # What is deleted or replaced is overwritten in the file; some builds of SQLite do so by default, others don't.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
    }
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    DATABASES["default"] = postgres(DATABASE_URL)
# SQLite has one writer, so more processes would only wait for each other.
WEB_WORKERS = env_int("WEB_WORKERS", 1 if ON_SQLITE else min(4, 2 * (os.cpu_count() or 1)), 1)
DATABASE_ROUTERS: list[str] = []
if DATABASE_REPLICA_URL:
    if {url.partition(":")[0] for url in (DATABASE_URL, DATABASE_REPLICA_URL)} - {"postgresql", "postgres"}:
        raise SystemExit("DATABASE_REPLICA_URL and DATABASE_URL must both be postgresql:// URLs.")
    DATABASES["replica"] = postgres(DATABASE_REPLICA_URL) | {"TEST": {"MIRROR": "default"}}
    DATABASE_ROUTERS = ["tracing_site.replica.ReplicaRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Queue: without Redis the embedded worker runs the same jobs
REDIS_URL = env("REDIS_URL")
RQ_QUEUES = {
    "default": {
        "URL": REDIS_URL or "redis://127.0.0.1:6379/0",
        "DEFAULT_TIMEOUT": 600,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
}
RQ = {"JOB_CLASS": "worker.known_jobs.KnownJob"}

# Each imports from those after it.
OUR_APPS = ("tracing_site", "worker", "mlflow_sync", "evaluations", "traces", "spans", "projects")
INSTALLED_APPS = [
    *OUR_APPS,
    "tracing_site.admin_config.TracingAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_rq",
]
MIDDLEWARE = [
    "tracing_site.page_headers.PageHeaders",
    "django.middleware.security.SecurityMiddleware",
    "tracing_site.static_files.StaticFiles",
    "tracing_site.compression.CompressReads",
    "tracing_site.visible_marks.VisibleMarks",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "projects.sessions.SessionAges",
    "projects.origin.NoteOrigin",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if DATABASE_REPLICA_URL:
    MIDDLEWARE.append("tracing_site.replica.ReplicaMiddleware")
ROOT_URLCONF = "tracing_site.urls"
WSGI_APPLICATION = "tracing_site.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"max_similarity": 0.6},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["projects.sessions.StampedBackend"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# Wrong passwords within so many minutes: for an account from an address, and from an address for all accounts
LOGIN_FAILURES = env_int("LOGIN_FAILURES", 5, 1)
LOGIN_FAILURES_OF_ADDRESS = env_int("LOGIN_FAILURES_OF_ADDRESS", 30, 1)
LOGIN_FAILURE_MINUTES = env_int("LOGIN_FAILURE_MINUTES", 15, 1)
# How long a session lasts: unused, and in all
SESSION_IDLE_MINUTES = env_int("SESSION_IDLE_MINUTES", 480, 1)
SESSION_MAX_HOURS = env_int("SESSION_MAX_HOURS", 168, 1)
SESSION_COOKIE_AGE = SESSION_MAX_HOURS * 3600
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "tracing_site.formats"
TIME_ZONE = env("TIME_ZONE", "UTC")
try:
    ZoneInfo(TIME_ZONE)
except (ZoneInfoNotFoundError, ValueError, OSError):
    raise SystemExit(f"TIME_ZONE must be a name such as Europe/Prague, not {TIME_ZONE!r}.") from None
USE_I18N = True
USE_TZ = True

# Static files: straight from the packages, or, with STATIC_ROOT, those that collectstatic left there under hashed names
STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "tracing_site.static_files.HashedStaticFiles"
        if STATIC_ROOT
        else "tracing_site.static_files.StampedStorage"
    },
}

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "traces.api.errors.exception_handler",
}
GIT_TAG = env("GIT_TAG", "0.1.0")
SPECTACULAR_SETTINGS = {
    "TITLE": "LLM tracing",
    "DESCRIPTION": (
        "Send spans with any OpenTelemetry SDK to POST /v1/traces, read traces and spans back, and delete "
        "them. Every request but /health and /readyz needs an API key, as `x-bee-authorization: KEY` or "
        "`Authorization: Bearer KEY`. Errors are `{code, message, reason?}`; OTLP's own are "
        "`google.rpc.Status`."
    ),
    "VERSION": GIT_TAG,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_NAME_OVERRIDES": {"Status": [("OK", "OK"), ("ERROR", "ERROR")]},
    "TAGS": [
        {"name": "trace", "description": "Traces: receive, list, read, export, delete."},
        {"name": "span", "description": "Spans, with what the conventions make of them."},
        {"name": "session", "description": "Sessions: traces that share a session, conversation or thread."},
        {"name": "user", "description": "The users of the traced programs."},
        {"name": "system", "description": "The server itself."},
    ],
}
# The layer above the API that knows the mirror: traces, include_tree -> bee-observe's `mlflow` objects by trace key
TRACE_MIRROR = "mlflow_sync.contract.mirror_states"

LOG_LEVEL = env("LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
    raise SystemExit(f"LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not {LOG_LEVEL!r}.")
LOG_FORMAT = env("LOG_FORMAT", "text").lower()
if LOG_FORMAT not in {"text", "json"}:
    raise SystemExit(f"LOG_FORMAT must be text or json, not {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "tracing_site.logs.TextFormatter"},
        "json": {"()": "tracing_site.logs.JsonFormatter"},
    },
    "filters": {
        "failures": {"()": "tracing_site.logs.OnlyFailures"},
        "seldom": {"()": "tracing_site.logs.Seldom"},
        "unknown_host": {"()": "tracing_site.logs.UnknownHost"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    # What others log at DEBUG may hold data: SQL with its parameters, addresses with their queries.
    "root": {"handlers": ["console"], "level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
    "loggers": {
        **{app: {"level": LOG_LEVEL} for app in OUR_APPS},
        # What anybody who connects can cause
        "tracing_site.serving.connections": {"filters": ["seldom"]},
        "uvicorn.error": {"filters": ["seldom"]},
        "django.security.DisallowedHost": {"filters": ["unknown_host", "seldom"]},
        # Django's own handlers print exceptions' texts, and tracing_site.serving.edge logs every request.
        "django": {"handlers": [], "level": "NOTSET"},
        "django.db.backends": {"level": "INFO"},
        "django.request": {"filters": ["failures"]},
    },
}
RQ_EXCEPTION_HANDLERS = ["tracing_site.logs.log_job_failure"]

# Metrics: without a token, only clients on the same machine may read them
METRICS_TOKEN = env("METRICS_TOKEN")
METRICS_PORT = env_int("METRICS_PORT", 0, 0, 65535)
# `manage.py web` sets it for its processes when there are several
PROMETHEUS_MULTIPROC_DIR = env("PROMETHEUS_MULTIPROC_DIR")

# Spans of the platform's own work, to where the SDK's OTEL_EXPORTER_OTLP_* variables say
OTEL_SELF_TRACING = env_bool("OTEL_SELF_TRACING", False)
