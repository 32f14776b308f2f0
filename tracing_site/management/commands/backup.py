"""manage.py backup: a consistent copy of the SQLite database while everything runs."""

import os
import shlex
import sqlite3
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from tqdm import tqdm

PAGES_A_STEP = 1_000


class Command(BaseCommand):
    help = (
        "Copy the SQLite database to FILE, as it is at the start of the command, while everything runs. For PostgreSQL "
        "it names the pg_dump command instead. To restore, stop the platform and put FILE in the database's place "
        "(docs/operations.md)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if connection.vendor != "sqlite":
            command = f"pg_dump --format=custom --file={shlex.quote(str(file))} DATABASE_URL"
            raise CommandError(f"The database is PostgreSQL, which has its own tool:\n  {command}")
        if file.exists():
            raise CommandError(f"{file} exists; a backup overwrites nothing.")
        unfinished = file.with_name(f"{file.name}.unfinished")
        try:
            copy(unfinished)
            unfinished.rename(file)
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}.") from error
        except sqlite3.Error as error:
            raise CommandError(f"The backup failed: {error}.") from error
        finally:
            unfinished.unlink(missing_ok=True)
        self.stdout.write(f"{file} holds {file.stat().st_size:,} bytes.")


def copy(target: Path) -> None:
    """Copy the database into a file and to the disk. Raises OSError, sqlite3.Error.

    The open transaction keeps what was there at its start. Without it every commit of another process would start the
    copy afresh, and under load it would never end.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    database = Path(connection.settings_dict["NAME"]).resolve().as_uri()
    with closing(sqlite3.connect(f"{database}?mode=ro", uri=True, isolation_level=None)) as source:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master")
        with closing(sqlite3.connect(target)) as destination, tqdm(unit="page", disable=None) as bar:

            def show(status: int, remaining: int, total: int) -> None:
                bar.total = total
                bar.update(total - remaining - bar.n)

            source.backup(destination, pages=PAGES_A_STEP, progress=show)
    with target.open("rb") as file:
        os.fsync(file.fileno())
