"""HTTP requests that end: the answer is bounded in size, and the whole call in time.

requests bounds only the wait for each next byte, so a server that sends one a second would hold a call for ever. Here a
timer shuts the call's sockets down when its time is over, whichever part of the answer it has come to.
"""

import socket
import threading
from contextlib import suppress
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

CONNECT_SECONDS = 5


class Answer(NamedTuple):
    """What a server said: `content_type` as it was sent, "" where it was not, `body` as it came."""

    status: int
    content_type: str
    body: bytes


class NoAnswer(Exception):
    """Not reached, broken off, no HTTP, or not in time; the text says which, and quotes nothing of the server's."""


class AnswerTooLong(Exception):
    """The answer has more bytes than its bound."""


class _Sockets:
    """The open sockets of a session, which can be cut from another thread.

    Sockets, because a connection forgets its own as soon as the answer's head says that it is the last one.
    """

    def __init__(self) -> None:
        self._open: WeakSet[socket.socket] = WeakSet()
        self.is_cut = False

    def add(self, opened: socket.socket) -> None:
        self._open.add(opened)
        if self.is_cut:  # while it was being opened
            self.cut()

    def cut(self) -> None:
        self.is_cut = True
        for opened in list(self._open):
            with suppress(OSError):  # closed already
                # Not SSLSocket's own method, which takes the TLS state away from the thread that reads.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Tells `sockets` of every connection that it opens."""

    def __init__(self, sockets: _Sockets) -> None:
        self._sockets = sockets
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _telling(pool, self._sockets)
            for scheme, pool in (("http", HTTPConnectionPool), ("https", HTTPSConnectionPool))
        }


def _telling(pool: type[HTTPConnectionPool], sockets: _Sockets) -> type[HTTPConnectionPool]:
    class Connection(pool.ConnectionCls):  # type: ignore[name-defined,misc]
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


class BoundedSession:
    """A session with one server that keeps its connection. Not to be shared between threads.

    It follows no redirect, keeps no cookie, and uses neither a .netrc nor a proxy of the machine.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["Accept-Encoding"] = "identity"  # an answer that unpacks to more than it weighs
        self._sockets = _Sockets()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(self._sockets))

    @property
    def headers(self) -> Any:
        """Sent with every request."""
        return self._session.headers

    def close(self) -> None:
        self._session.close()

    def request(self, method: str, url: str, *, seconds: float, max_bytes: int, **options: Any) -> Answer:
        """Raises NoAnswer or AnswerTooLong; requests.RequestException where the request itself can't be sent."""
        self._sockets.is_cut = False
        timer = threading.Timer(seconds, self._sockets.cut)
        timer.daemon = True
        timer.start()
        try:
            return self._request(method, url, (min(CONNECT_SECONDS, seconds), seconds), max_bytes, options)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError, HTTPException) as error:
            raise self._no_answer(error, seconds) from None
        except requests.RequestException:
            raise
        except OSError as error:
            raise self._no_answer(error, seconds) from None
        finally:
            timer.cancel()

    def _no_answer(self, error: Exception, seconds: float) -> NoAnswer:
        """The text of an exception could repeat what was sent, so only its kind is told."""
        return NoAnswer(f"no whole answer within {seconds:g} s" if self._sockets.is_cut else type(error).__name__)

    def _request(
        self, method: str, url: str, timeout: tuple[float, float], max_bytes: int, options: dict[str, Any]
    ) -> Answer:
        with self._session.request(
            method, url, timeout=timeout, stream=True, allow_redirects=False, **options
        ) as response:
            # Undecoded, and by http.client, whose lines of a chunked answer are bounded as well.
            body = response.raw.read(max_bytes + 1, decode_content=False)
            if len(body) > max_bytes:
                raise AnswerTooLong
            response.raw.read(1, decode_content=False)  # raises if less came than was announced
            if self._sockets.is_cut:  # the end of what came is no end of the answer
                raise TimeoutError
            return Answer(response.status_code, response.headers.get("Content-Type", ""), body)
