"""Run pytest with Django's test database, and the platform's, on a fresh Citus cluster.

python -m tests.on_citus [PYTEST-ARGUMENTS]; without arguments all that makes sense there. There is one test database,
so `-n` is not possible.
"""

import os
import subprocess
import sys

from tests import citus

TESTS = [
    *("tests/cluster/routing.py", "tests/cluster/concurrency.py", "tests/cluster/lifecycle.py"),
    *("tests/tracing_site/test_captures.py", "tests/test_distribution.py", "tests/projects", "tests/mlflow_sync"),
    *("tests/traces", "tests/spans", "--ignore=tests/spans/semconv"),
    *(f"--ignore=tests/traces/otlp/test_{name}.py" for name in ("codec", "split", "decode_encode", "abuse")),
]


def main() -> int:
    try:
        citus.programs()
    except RuntimeError as error:
        sys.exit(str(error))
    with citus.cluster() as cluster:
        print(f"{cluster.version()}, a coordinator and {len(cluster.ports) - 1} workers", flush=True)
        cluster.create_platform("test_tracing")
        environment = os.environ | {
            "DATABASE_URL": cluster.url("tracing"),
            "TRACING_SERVER_DATABASE_URL": cluster.create_platform("served"),
            "CITUS_PORTS": ",".join(map(str, cluster.ports)),
        }
        command = [sys.executable, "-m", "pytest", "--reuse-db", *(sys.argv[1:] or TESTS)]
        return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main())
