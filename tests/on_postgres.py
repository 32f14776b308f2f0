"""Run pytest with Django's test database on a fresh PostgreSQL: python -m tests.on_postgres PYTEST-ARGUMENTS."""

import os
import subprocess
import sys

from tests import servers


def main() -> int:
    with servers.postgres() as url:
        environment = os.environ | {"DATABASE_URL": url}
        return subprocess.call([sys.executable, "-m", "pytest", *sys.argv[1:]], env=environment)


if __name__ == "__main__":
    sys.exit(main())
