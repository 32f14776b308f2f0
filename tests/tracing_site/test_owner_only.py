"""Files that no other account of the machine can read: new ones, and those of a version that let them."""

import os
import stat
import subprocess
import sys

import pytest
import requests

from tests import servers
from tests.builders import export_request, span


def modes(folder):
    """Path below the folder and permissions of everything that others have rights to."""
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in [folder, *folder.rglob("*")]
        if path.lstat().st_mode & 0o077
    }


def run(folder, *arguments, **options):
    environment = servers.clean_environment(DATA_DIR=str(folder), MLFLOW_TRACKING_URI="off")
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=servers.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        **options,
    )


def send(site):
    body = export_request(span()).SerializeToString()
    headers = site.headers | {"Content-Type": "application/x-protobuf"}
    assert requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=10).ok


def test_a_new_installation_is_its_owners_alone(tmp_path):
    """The database with its log while the server runs, the secret key, MLflow's files, a backup and an export."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "serve.log").touch(mode=0o600)
    port = servers.free_port()
    before = os.umask(0o022)
    try:
        with servers.site(data_dir=folder, MLFLOW_TRACKING_URI="", MLFLOW_PORT=str(port)) as site:
            send(site)
            site.manage("backup", str(folder / "backup.sqlite3"))
            site.manage("exporttraces", str(folder / "export.jsonl"))
            found = modes(folder)
            names = {path.name for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert {"tracing.sqlite3", "tracing.sqlite3-wal", "tracing.sqlite3-shm", "mlflow", "mlflow.log"} <= names
    assert {"backup.sqlite3", "export.jsonl"} <= names
    assert found == {}


def test_what_was_open_is_closed_and_said_once(tmp_path):
    folder = tmp_path / "data"
    run(folder, "migrate", "-v0")
    (folder / "mlflow").mkdir()
    for name in ("tracing.sqlite3-wal", "tracing.sqlite3-shm", "mlflow.log", "mlflow/mlflow.sqlite3"):
        (folder / name).touch()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o644)
    said = run(folder, "check").stderr
    assert modes(folder) == {}
    assert said.count("Other accounts of this machine had rights to files") == 1
    assert "tracing.sqlite3-wal" in said
    assert "Other accounts" not in run(folder, "check").stderr


def test_a_database_elsewhere_is_closed_and_its_folder_left_alone(tmp_path):
    tmp_path.chmod(0o755)
    database = tmp_path / "elsewhere.sqlite3"
    database.touch(mode=0o644)
    environment = servers.clean_environment(DATA_DIR=str(tmp_path / "data"), DATABASE_URL=f"sqlite:///{database}")
    subprocess.run([sys.executable, "manage.py", "check"], cwd=servers.ROOT, env=environment, check=True)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_place_for_everybody_is_left_alone(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "of-others").touch(mode=0o644)
    (shared / "of-others").chmod(0o644)
    shared.chmod(0o1777)
    run(shared, "check")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert stat.S_IMODE((shared / "of-others").stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away, and run as another account")
def test_what_belongs_to_another_account_is_complained_of(tmp_path):
    folder = tmp_path / "data"
    run(folder, "migrate", "-v0")
    (folder / "secret-key").chmod(0o644)
    os.chown(folder / "secret-key", 12345, 12345)
    assert "tracing.W003" in run(folder, "check").stderr


def test_static_files_are_for_everybody(tmp_path):
    environment = servers.clean_environment(DATA_DIR=str(tmp_path / "data"), STATIC_ROOT=str(tmp_path / "static"))
    arguments = [sys.executable, "manage.py", "collectstatic", "--noinput"]
    before = os.umask(0o022)
    try:
        subprocess.run(arguments, cwd=servers.ROOT, env=environment, check=True, capture_output=True)
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (tmp_path / "static").rglob("*"))
