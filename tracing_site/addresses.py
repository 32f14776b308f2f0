"""Where this server is found. ALLOWED_HOSTS is `*` unless somebody says otherwise, so the Host of a request is whatever
its sender likes, and no page repeats it.
"""

import ipaddress
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host


def is_known_host(host: str) -> bool:
    """Whether ALLOWED_HOSTS or PUBLIC_URL names the host, or it is this machine's own loopback name."""
    name, _ = split_domain_port(host)
    named = [pattern for pattern in settings.ALLOWED_HOSTS if pattern != "*"]
    if settings.PUBLIC_URL:
        named.append(urlsplit(settings.PUBLIC_URL).hostname or "")
    return bool(name) and (name == "localhost" or is_loopback(name.strip("[]")) or validate_host(name, named))


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def address_of(request: HttpRequest) -> str:
    """The address to send traces to: PUBLIC_URL, else the one that the reader used, if it is known, else a guess from
    HOST and PORT, in place of which the browser puts what it has in its address bar (`common.js`).
    """
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL)
    host = request.headers.get("Host", "") or request.get_host()
    if is_known_host(host):
        return f"{request.scheme}://{host}"
    own = "127.0.0.1" if settings.HOST in {"0.0.0.0", "::"} else settings.HOST  # noqa: S104 - compared, not bound
    return f"http://{f'[{own}]' if ':' in own else own}:{settings.PORT}"


def is_guess(request: HttpRequest) -> bool:
    """Whether `address_of` does not know better."""
    return not settings.PUBLIC_URL and not is_known_host(request.headers.get("Host", "") or request.get_host())


def without_senders_host(location: str, request: HttpRequest) -> str:
    """A redirect's target; where its host is only the request's own word, the path alone."""
    parts = urlsplit(location)
    if not parts.netloc or parts.netloc != request.headers.get("Host", "") or is_known_host(parts.netloc):
        return location
    path = "/" + parts.path.lstrip("/")
    return parts._replace(scheme="", netloc="", path=path).geturl()
