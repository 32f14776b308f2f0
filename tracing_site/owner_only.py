"""The platform's files are for the account that it runs as: others on the machine could read prompts, password hashes,
sessions and keys. New ones are made so (`tracing_site.process`); these are those that were there before.
"""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

OTHERS = stat.S_IRWXG | stat.S_IRWXO
SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


def guarded_paths() -> Iterator[Path]:
    """The data folder with what lies in it and in MLflow's, and the SQLite file with its companions. A folder within
    them guards its own contents.
    """
    folder: Path = settings.DATA_DIR
    # Somebody's home or a place for everybody is not the platform's, whatever DATA_DIR says.
    if folder not in {Path("/"), Path.home()} and folder.is_dir() and not folder.stat().st_mode & stat.S_ISVTX:
        yield folder
        for parent in (folder, folder / "mlflow"):
            if parent.is_dir():
                yield from parent.iterdir()
    if settings.ON_SQLITE:
        name: Any = settings.DATABASES["default"]["NAME"]
        for suffix in SQLITE_SUFFIXES:
            yield Path(f"{name}{suffix}")


def open_paths() -> list[Path]:
    """Those that others may read, write or enter."""
    found = []
    for path in guarded_paths():
        with suppress(OSError):
            if is_open(path.lstat().st_mode):
                found.append(path)
    return list(dict.fromkeys(found))


def is_open(mode: int) -> bool:
    return bool(mode & OTHERS) and (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def close_to_others() -> None:
    """Take everybody else's rights to them, and say so. What belongs to another account is left to the system check."""
    closed = []
    for path in open_paths():
        with suppress(OSError):
            mode = path.lstat()
            if mode.st_uid == os.geteuid():
                path.chmod(stat.S_IMODE(mode.st_mode) & ~OTHERS)
                closed.append(path.name)
    if closed:
        logger.warning(
            "Other accounts of this machine had rights to files in %s; now its owner alone has: %s",
            settings.DATA_DIR,
            ", ".join(sorted(closed)[:20]),
        )
