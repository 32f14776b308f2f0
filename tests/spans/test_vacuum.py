"""The SQLite file as it is made and opened."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    run_manage(tmp_path, "migrate", "--verbosity", "0")
    return tmp_path / "tracing.sqlite3"


def run_manage(data_dir: Path, *arguments: str) -> str:
    environment = {**os.environ, "DATA_DIR": str(data_dir), "DATABASE_URL": ""}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=120, check=True
    ).stdout


def test_a_new_file_can_give_its_free_pages_back(database_file: Path) -> None:
    (mode,) = sqlite3.connect(database_file).execute("PRAGMA auto_vacuum").fetchone()
    assert mode == 2


def test_a_new_connection_reads_while_another_process_writes(database_file: Path) -> None:
    writer = sqlite3.connect(database_file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    count = "from traces.models import Trace; print('traces:', Trace.objects.count())"
    assert "traces: 0" in run_manage(database_file.parent, "shell", "--command", count)
    writer.execute("ROLLBACK")
