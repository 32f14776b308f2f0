"""When a trace failed: pure, from its spans, the same in any order. When a span did is `spans.semconv.failures`'s."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from spans.semconv.failures import STATUS_UNSET
from spans.span_types import SpanKind

# Spans that are one call to something else; what is inside them is the call's own affair.
CALL_TYPES = frozenset(("LLM", "CHAT_MODEL", "EMBEDDING", "RERANKER", "RETRIEVER", "TOOL"))
# Classes of errors of plain requests that are no answer: all but those that are a status of 4xx, and no class at all.
_REFUSED = re.compile(r"^(?!4\d\d$).|^429$")


class OutcomeRow(Protocol):
    """What the outcome of a trace needs to know of a span."""

    @property
    def span_id(self) -> str: ...
    @property
    def parent_span_id(self) -> str: ...
    @property
    def kind(self) -> int: ...
    @property
    def span_type(self) -> str: ...
    @property
    def status_code(self) -> int: ...
    @property
    def is_error(self) -> bool: ...
    @property
    def error_type(self) -> str: ...
    @property
    def output_preview(self) -> str: ...


def trace_failed(rows: Sequence[OutcomeRow], roots: Sequence[OutcomeRow]) -> bool:
    """Whether any of the roots failed; without a root, whether any span did.

    A root that says nothing of its end, with its status or with an output, ended as the calls below it: it failed if
    they all did. So does the request to a program whose only call to a model was refused.
    """
    if not any(row.is_error for row in rows):
        return False
    if not roots or any(root.is_error for root in roots):
        return True
    silent = [root for root in roots if root.status_code == STATUS_UNSET and not root.output_preview]
    if not silent:
        return False
    children: dict[str, list[OutcomeRow]] = defaultdict(list)
    for row in rows:
        children[row.parent_span_id].append(row)
    return any(_all_calls_failed(root, children) for root in silent)


def _all_calls_failed(root: OutcomeRow, children: dict[str, list[OutcomeRow]]) -> bool:
    """Whether there is a call below the root, and none that did not fail. A failed agent or chain is a failed call; a
    plain request that was answered with 4xx, but for 429, is not, because "not found" is an answer.
    """
    found = False
    visited = {root.span_id}
    stack = [root.span_id]
    while stack:
        for row in children.get(stack.pop(), ()):
            if row.span_id in visited:
                continue
            visited.add(row.span_id)
            is_call = row.kind == SpanKind.CLIENT or row.span_type in CALL_TYPES
            if row.is_error and (row.span_type != "UNKNOWN" or (is_call and _REFUSED.search(row.error_type))):
                found = True
            elif is_call:
                return False
            else:
                stack.append(row.span_id)
    return found
