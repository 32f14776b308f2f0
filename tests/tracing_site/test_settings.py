"""Settings: documented, checked, and fit for production."""

import ast
import os
import re
import subprocess
import sys

import pytest
import yaml
from django.core.management import get_commands

from tests.servers import ROOT, clean_environment

PRODUCTION = {
    "SECRET_KEY": "x5Jq0sVfWm8Lr2TzYb7Kd4Ng9Hc1Pe6Ua3Qi5Ro8Sw2Xv4Zt7By0Cn",
    "DATABASE_URL": "postgresql://tracing:secret@db.internal/tracing",
    "REDIS_URL": "redis://redis.internal:6379/0",
    "MLFLOW_TRACKING_URI": "http://mlflow.internal:5000",
    "PUBLIC_URL": "https://traces.example.org",
    "AUTH_KEY": "b9f1c3a0e4d2487c",
}


def read_variables():
    """The names in every env(…), env_int(…) and env_bool(…) call of settings.py."""
    tree = ast.parse((ROOT / "tracing_site/settings.py").read_text())
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"env", "env_int", "env_bool"}
        and isinstance(call.args[0], ast.Constant)
    }


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(**({"DATA_DIR": os.environ.get("DATA_DIR", "")} | environment)),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_every_setting_is_in_the_documentation_and_nothing_else_is():
    table = (ROOT / "docs/settings.md").read_text()
    documented = {name for row in re.findall(r"^\| (`.+?) \|", table, re.M) for name in re.findall(r"`([A-Z_]+)`", row)}
    assert documented == read_variables()


def test_nothing_but_the_settings_reads_the_environment():
    sources = [path for app in ("mlflow_sync", "projects", "spans", "traces") for path in (ROOT / app).rglob("*.py")]
    assert [str(path) for path in sources if re.search(r"os\.(environ|getenv)", path.read_text())] == []


def test_the_deployment_check_is_clean_in_production_settings(tmp_path):
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (
        0,
        "System check identified no issues (2 silenced).\n",
    )


@pytest.mark.parametrize(
    ("changes", "identifier"),
    [
        ({"MAX_BODY_BYTES": "1000"}, "tracing.E001"),
        ({"DATA_EXPIRATION_IN_DAYS": "0"}, "tracing.E002"),
        ({"REDIS_URL": "redis.internal:6379"}, "tracing.E003"),
        ({"MLFLOW_TRACKING_URI": "mlflow:5000"}, "tracing.E004"),
        ({"PUBLIC_URL": "traces.example.org"}, "tracing.E005"),
        ({"MLFLOW_AUTHORIZATION": "BEARER"}, "tracing.E006"),
        ({"MLFLOW_AUTHORIZATION": "BASE_AUTH"}, "tracing.E007"),
        ({"MLFLOW_TRACKING_URI": "http://mlflow:port"}, "tracing.E004"),
        ({"MLFLOW_DEFAULT_EXPERIMENT_ID": "7/.."}, "tracing.E008"),
        ({"MLFLOW_TRACKING_URI": "http://name@mlflow:5000"}, "tracing.E009"),
        ({"MLFLOW_TRACKING_URI": "http://:secret@mlflow:5000"}, "tracing.E009"),
        (
            {
                "MLFLOW_TRACKING_URI": "http://name:secret@mlflow:5000",
                "MLFLOW_AUTHORIZATION": "BASE_AUTH",
                "MLFLOW_USERNAME": "name",
                "MLFLOW_PASSWORD": "secret",
            },
            "tracing.E009",
        ),
        ({"AUTH_KEY": "short"}, "tracing.W001"),
        ({"DATABASE_URL": ""}, "tracing.W002"),
    ],
)
def test_a_wrong_setting_is_named_with_a_hint(changes, identifier):
    done = manage("check", "--deploy", "--fail-level", "WARNING", **(PRODUCTION | changes))
    assert done.returncode == 1
    assert identifier in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert "HINT" in done.stderr


def test_off_is_off_however_it_is_written():
    done = manage("check", "--deploy", "--fail-level", "WARNING", **(PRODUCTION | {"MLFLOW_TRACKING_URI": "Off"}))
    assert done.returncode == 0, done.stderr


def test_another_database_is_named_before_its_driver_is_missed():
    done = manage("check", "--database", "default", **(PRODUCTION | {"DATABASE_URL": "mysql://db/tracing"}))
    assert done.returncode == 1
    assert done.stderr.strip() == "DATABASE_URL must be a sqlite:// or postgresql:// URL, not mysql://."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"LOCAL_MLFLOW": "yes"}, "LOCAL_MLFLOW must be single, always or off, not 'yes'."),
        ({"PORT": "http"}, "PORT must be a whole number, not 'http'."),
        ({"PORT": "70000"}, "PORT must be at most 65535, not 70000."),
        ({"WEB_THREADS": "0"}, "WEB_THREADS must be at least 1, not 0."),
        ({"STATEMENT_TIMEOUT_SECONDS": "-1"}, "STATEMENT_TIMEOUT_SECONDS must be at least 0, not -1."),
        ({"MAX_SPANS_PER_REQUEST": "0"}, "MAX_SPANS_PER_REQUEST must be at least 1, not 0."),
        ({"TIME_ZONE": "Mars/Olympus"}, "TIME_ZONE must be a name such as Europe/Prague, not 'Mars/Olympus'."),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not 'LOUD'."),
        ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR can't be used: Not a directory: /dev/null/data."),
    ],
)
def test_a_value_that_makes_no_sense_ends_the_start_with_a_sentence(changes, sentence):
    assert manage("check", **changes).stderr.strip() == sentence


def test_host_names_may_have_spaces_between_them():
    script = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"
    done = manage("shell", "--no-imports", "--command", script, ALLOWED_HOSTS="one.example, two.example")
    assert done.stdout.strip() == "['one.example', 'two.example', 'localhost', '127.0.0.1', '[::1]']"


def test_the_data_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "c# 100%20?"
    done = manage("migrate", "--plan", DATA_DIR=str(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "tracing.sqlite3").exists()
    done = manage("backup", str(tmp_path / "copy"), DATA_DIR=str(folder))
    assert done.returncode == 0, done.stderr


def test_a_secret_key_that_was_never_written_is_said(tmp_path):
    (tmp_path / "secret-key").touch()
    assert f"{tmp_path / 'secret-key'} is empty. Remove it" in manage("check", DATA_DIR=str(tmp_path)).stderr


def test_a_database_that_can_not_be_reached_ends_the_start_with_a_sentence():
    done = manage("prepare", DATABASE_URL="postgresql://tracing:secret@127.0.0.1:1/tracing")
    assert done.returncode == 1
    assert "The database can't be used, see DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_an_https_address_redirects_browsers_but_no_programs():
    script = """
import django; django.setup()
from django.test import Client
for path in ("/admin/login/", "/v1/traces", "/readyz"):
    answer = Client().get(path)
    print(path, answer.status_code, answer.headers.get("Location", ""))
"""
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="tracing_site.settings", DATA_DIR=os.environ.get("DATA_DIR", ""), **PRODUCTION
    )
    environment["DATABASE_URL"] = "sqlite://:memory:"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert lines["/admin/login/"].startswith("301 https://")
    assert lines["/v1/traces"].split()[0] == "401", done.stderr
    assert lines["/readyz"].split()[0] in {"200", "503"}


def test_static_files_are_collected_under_hashed_names(tmp_path):
    done = manage("collectstatic", "--noinput", STATIC_ROOT=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "admin/css").glob("base.*.css.gz"))
    own = tmp_path / "tracing_site"
    for page in ("common", "list", "session", "trace"):
        module = next(own.glob(f"{page}.????????????.js")).read_text()
        imports = re.findall(r'from "\./([^"]+)"', module)
        assert imports
        for name in imports:
            assert re.search(r"\.[0-9a-f]{12}\.js$", name), name
            assert (own / name).is_file()


def test_compose_bounds_every_container_and_keeps_redis_apart():
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = document["services"]
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service
    assert {name for name, service in services.items() if "cap_add" in service} == {"postgres", "redis"}
    for name, network in (("redis", "queue"), ("postgres", "database")):
        assert services[name]["networks"] == [network]
        assert "ports" not in services[name]
        assert document["networks"][network]["internal"]
    assert "networks" not in services["mlflow"]
    assert "--requirepass ${REDIS_PASSWORD}" in services["redis"]["command"]
    assert ":${REDIS_PASSWORD" in services["web"]["environment"]["REDIS_URL"]
    assert services["mlflow"]["ports"] == ["127.0.0.1:${MLFLOW_PORT:-5000}:5000"]


def test_compose_passes_on_what_an_operator_must_set():
    environment = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["web"]["environment"]
    checklist = (ROOT / "SECURITY.md").read_text().partition("## What an operator must set")[2].partition("## ")[0]
    named = set(re.findall(r"`([A-Z_]+)[`=]", checklist)) & read_variables()
    # In a container it listens to all; the MLflow of `serve` is not there.
    assert named - {"HOST", "LOCAL_MLFLOW"} <= set(environment)
    assert {"TRUSTED_PROXIES", "ALLOWED_HOSTS", "PUBLIC_URL", "METRICS_TOKEN"} <= named


def test_compose_starts_only_commands_that_exist():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    commands = {
        service["command"].split()[2]
        for service in services.values()
        if service.get("command", "").startswith("python manage.py")
    }
    assert commands == {"prepare", "web", "grpc", "worker", "cron"}
    assert commands <= set(get_commands())


def test_the_url_of_the_database_has_the_last_word():
    code = "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS'])"
    url = "postgresql://u@h/d?tcp_user_timeout=60000&target_session_attrs=read-write"
    shown = manage("shell", "-v0", "-c", code, DATABASE_URL=url).stdout
    assert "'tcp_user_timeout': 60000" in shown
    assert "'connect_timeout': 5" in shown
    assert "read-write" in shown
