"""What every view of the API is made of: who is let in, what is found, and answers that stay bounded."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models.expressions import Combinable
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from projects.authentication import CanRead, KeyAuthentication, PersonAuthentication, visible_projects
from traces.api.encoding import AnyAccept, JSONParser, JSONRenderer
from traces.api.errors import check_escapes, invalid_argument, no_such_trace, too_large
from traces.models import Trace
from traces.otlp.codec import Encoding, serialize
from traces.reading import queries
from traces.reading.lists import Ordering


class ApiView(APIView):
    """JSON whatever is accepted; for a key with the scope `read`, or somebody who is logged in."""

    authentication_classes = [KeyAuthentication, PersonAuthentication]
    permission_classes = [CanRead]
    renderer_classes = [JSONRenderer]
    parser_classes = [JSONParser]
    content_negotiation_class = AnyAccept
    http_method_names = ["get", "head", "post", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        check_escapes(request.META.get("asgi.scope", {}).get("raw_path", b"").decode("latin-1"))


def find_trace(request: Request, identifier: str) -> Trace:
    trace = queries.get_trace(visible_projects(request), identifier)
    if trace is None:
        raise no_such_trace(identifier)
    return trace


def ordering_of(name: str, orderings: dict[str, Ordering]) -> Ordering:
    """The ordering with this name; a leading minus is descending."""
    ordering = orderings[name.removeprefix("-")]
    return ordering if name.startswith("-") else ordering.reversed()


def check_size(traces: Sequence[Trace], what: str) -> None:
    """Raises ApiError (400) where there are too many spans for an answer in one piece."""
    count = sum(trace.span_count for trace in traces)
    if count > queries.MAX_SPANS:
        raise invalid_argument(
            f"{what} is for at most {queries.MAX_SPANS} spans, and there are {count}",
            "Ask for fewer traces, or read GET /v1/traces/{trace_id}/spans page by page, by the OTel trace id.",
        )


def check_bytes(traces: Sequence[Trace], size: Combinable, what: str) -> None:
    """Raises ApiError (413) where the spans hold too much for an answer in one piece. One query, none of no trace."""
    held = queries.total_bytes(queries.spans_of(*traces), size) if traces else 0
    if held > settings.MAX_ANSWER_BYTES:
        raise too_large(
            what,
            held,
            "Ask for fewer traces, or read GET /v1/traces/{trace_id}/spans page by page, by the OTel trace id"
            + (f": {traces[0].trace_id}." if len(traces) == 1 else "."),
        )


def otlp_answer(request: Request, data: Any) -> HttpResponse:
    """The message in the encoding that is asked for by Accept, else as JSON."""
    wants_protobuf = "protobuf" in request.META.get("HTTP_ACCEPT", "").lower()
    encoding = Encoding.PROTOBUF if wants_protobuf else Encoding.JSON
    return HttpResponse(serialize(data, encoding), content_type=encoding.value, headers={"Vary": "Accept"})
