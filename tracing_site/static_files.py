"""Static files by WhiteNoise, each handed over whole."""

import os
from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """Under hashed names, which the imports of our modules follow: `… from "./keys.js"` becomes "./keys.HASH.js".

    Import maps would do it, too, but are inline scripts, which the policy of the pages blocks.
    """

    support_js_module_import_aggregation = True


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
        if answer.file is not None:
            with answer.file as file:
                response.content = content(file.name, os.fstat(file.fileno()).st_mtime_ns)
        return response


@cache
def content(path: str, modified_unix_nano: int) -> bytes:
    return Path(path).read_bytes()
