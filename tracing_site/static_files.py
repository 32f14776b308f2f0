"""Static files by WhiteNoise, each handed over whole, packed, and kept by browsers."""

import gzip
import hashlib
import os
from functools import cache, lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

from tracing_site.compression import accepts_gzip

STAMP = "v"
STAMP_DIGITS = 12
FOREVER = "max-age=315360000, public, immutable"
# Others are packed already.
PACKED_TYPES = ("text/", "application/json", "image/svg+xml")
MIN_BYTES = 1024


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """Under hashed names, which the imports of our modules follow: `… from "./keys.js"` becomes "./keys.HASH.js".

    Import maps would do it, too, but are inline scripts, which the policy of the pages blocks.
    """

    support_js_module_import_aggregation = True


class StampedStorage(StaticFilesStorage):
    """Files straight from the packages. The addresses that pages name end in a stamp of the content, so that a browser
    may keep each for good and asks for the new one after an upgrade. What styles and scripts name in turn has none.
    """

    def url(self, name: str | None) -> str:
        address: str = super().url(name)
        stamp = stamp_of(name or "")
        return f"{address}?{STAMP}={stamp}" if stamp else address


def stamp_of(name: str) -> str:
    """The beginning of a digest of the file as it is now; "" where there is none."""
    path = _path_of(name)
    return _digest(path, os.stat(path).st_mtime_ns) if path else ""


@lru_cache(maxsize=1024)
def _path_of(name: str) -> str:
    path = finders.find(name)
    return path if path and os.path.isfile(path) else ""


@cache
def _digest(path: str, modified_unix_nano: int) -> str:
    return hashlib.sha256(content(path, modified_unix_nano)).hexdigest()[:STAMP_DIGITS]


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]  # it has no types
    """In pieces, as WhiteNoise sends it, a file would hold one of the few threads for as long as its client takes to
    read, and anybody may ask for files. All answers share one copy of each; therefore none is of a part of it.
    """

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        wanted = {name: value for name, value in request.META.items() if name != "HTTP_RANGE"}
        answer = static_file.get_response(request.method, wanted)
        response = HttpResponse(status=int(answer.status))
        del response["content-type"]
        for name, value in answer.headers:
            response[name] = value
        if is_current(request):
            response["Cache-Control"] = FOREVER
        if answer.file is not None:
            with answer.file as file:
                modified = os.fstat(file.fileno()).st_mtime_ns
                response.content = content(file.name, modified)
                if is_packable(response):
                    patch_vary_headers(response, ("Accept-Encoding",))
                    if accepts_gzip(request):
                        response.content = packed(file.name, modified)
                        response["Content-Encoding"] = "gzip"
                        response["Content-Length"] = str(len(response.content))
        return response


def is_current(request: HttpRequest) -> bool:
    """Whether the address has the stamp of the content that is served now."""
    stamp = request.GET.get(STAMP, "")
    return bool(stamp) and stamp == stamp_of(request.path_info.partition("/static/")[2])


def is_packable(response: HttpResponse) -> bool:
    kind = response.headers.get("Content-Type", "")
    is_text = kind.startswith(PACKED_TYPES) or "javascript" in kind
    return is_text and "Content-Encoding" not in response.headers and len(response.content) >= MIN_BYTES


@cache
def content(path: str, modified_unix_nano: int) -> bytes:
    return Path(path).read_bytes()


@cache
def packed(path: str, modified_unix_nano: int) -> bytes:
    return gzip.compress(content(path, modified_unix_nano), mtime=0)
