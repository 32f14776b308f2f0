"""Compression of what is read: the API's answers, its documentation and the admin."""

import re

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

MIN_BYTES = 1024
ACCEPTS_GZIP = re.compile(r"\bgzip\b")
REFUSES_GZIP = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)", re.IGNORECASE)


def accepts_gzip(request: HttpRequest) -> bool:
    accepted = request.headers.get("Accept-Encoding", "")
    return ACCEPTS_GZIP.search(accepted) is not None and REFUSES_GZIP.search(accepted) is None


class CompressReads(GZipMiddleware):
    """Gzips answers to GET above 1 KB for clients that accept it, padded at random, so that their size tells nothing
    of a secret in them (BREACH). Exports and what they are answered with stay as they are.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_short = isinstance(response, HttpResponse) and len(response.content) < MIN_BYTES
        if request.method not in {"GET", "HEAD"} or is_short:
            return response
        if REFUSES_GZIP.search(request.headers.get("Accept-Encoding", "")):
            patch_vary_headers(response, ("Accept-Encoding",))
            return response
        return super().process_response(request, response)
