"""The connections of one web process: how many there may be, whose give way, and what was refused."""

import ipaddress
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from prometheus_client import Counter as Count

from traces.otlp.connection_limits import connection_limits

logger = logging.getLogger(__name__)

REFUSED = Count(
    "tracing_connections_refused",
    "HTTP connections that the server refused or ended, by the reason.",
    ["reason"],
)


class Connection(Protocol):
    """A client's connection. `address` is what its connections are counted by."""

    address: str

    def give_way(self) -> None: ...


def refused(reason: str, address: str) -> None:
    """Count a connection that was refused or ended by the server, and log it."""
    REFUSED.labels(reason).inc()
    logger.warning("Refused connections: %s", reason, extra={"fields": {"address": address}})


def counted_address(address: str) -> str:
    """The address itself; of an IPv6 address its /64 network, all of which one client has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket has none
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


class Connections:
    """At most so many at a time. A new one over the bound takes the place of the one that has waited longest without a
    request: of its own address if that has as many as one may, else of the address that has most. So whoever only
    holds connections keeps nobody out, and only requests under way can fill the bound.
    """

    def __init__(self) -> None:
        self.limit, self.per_address = connection_limits()
        self.total = 0
        self.counts: Counter[str] = Counter()
        # By address, those without a request under way, the one that has waited longest first
        self.waiting: dict[str, dict[Connection, None]] = {}

    def admit(self, connection: Connection) -> str:
        """Count the connection in, and an empty text; or why it must be refused."""
        address = connection.address
        if self.counts[address] >= self.per_address and not self._make_room(iter([address])):
            return "too many of one address"
        if self.total >= self.limit and not self._make_room(self._larger_than(address)):
            return "too many"
        self.total += 1
        self.counts[address] += 1
        self.wait(connection)
        return ""

    def wait(self, connection: Connection) -> None:
        """It has no request under way."""
        self.waiting.setdefault(connection.address, {})[connection] = None

    def work(self, connection: Connection) -> None:
        """It has a request under way."""
        self.waiting[connection.address].pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """Count out what was counted in."""
        address = connection.address
        self.total -= 1
        self.counts[address] -= 1
        self.work(connection)
        if not self.counts[address]:
            del self.counts[address], self.waiting[address]

    def _larger_than(self, address: str) -> Iterator[str]:
        """Addresses with more connections than this one, the largest first."""
        own = self.counts[address]
        return (other for other, count in self.counts.most_common() if count > own)

    def _make_room(self, addresses: Iterator[str]) -> bool:
        """Whether a connection of the first of the addresses that has one waiting gave way."""
        for address in addresses:
            for connection in self.waiting.get(address, ()):
                connection.give_way()
                return True
        return False
