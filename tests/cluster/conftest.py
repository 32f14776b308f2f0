import os
import uuid

import pytest

from tests.citus import Cluster


@pytest.fixture(scope="session")
def citus():
    """The cluster that `tests.on_citus` started."""
    return Cluster([int(port) for port in os.environ["CITUS_PORTS"].split(",")])


@pytest.fixture
def citus_url(citus):
    """URL of a fresh database on all machines of the cluster, with the platform's tables distributed."""
    return citus.create_platform(f"cluster_{uuid.uuid4().hex}")
