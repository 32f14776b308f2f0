"""How many clients may be connected to one process, so that it never runs out of descriptors."""

import logging
import resource

from django.conf import settings

logger = logging.getLogger(__name__)

# For what a process opens beside its clients' connections: databases, Redis, MLflow, files, event loops
RESERVED_DESCRIPTORS = 128
# HTTP and gRPC may share a process, and neither may take the other's.
TRANSPORTS = 2


def connection_limits() -> tuple[int, int]:
    """The connections that each transport of this process takes: in all, and from one address.

    MAX_CONNECTIONS and MAX_CONNECTIONS_PER_ADDRESS or, where the descriptors are too few, as much less of both.
    """
    limit, per_address = settings.MAX_CONNECTIONS, min(settings.MAX_CONNECTIONS_PER_ADDRESS, settings.MAX_CONNECTIONS)
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limit, per_address
    possible = max((descriptors - RESERVED_DESCRIPTORS) // TRANSPORTS, 8)
    if possible >= limit:
        return limit, per_address
    logger.warning("%d descriptors are enough for %d connections, not for MAX_CONNECTIONS", descriptors, possible)
    return possible, max(per_address * possible // limit, 1)
