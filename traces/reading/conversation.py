"""A session read as a chat: the messages of its model calls over all its traces, each shown once.

Programs send the whole history with every call. What a call repeats of an earlier one is left out: its messages are
laid along the threads that are known, and only what goes beyond is new.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet

from spans.keys import INVALID_SPAN_ID
from spans.logs import attach_logs, bytes_of_events
from spans.models import Span
from spans.payload import fitting, stored_bytes
from spans.semconv import SpanContent
from spans.semconv.messages import Message
from spans.semconv.normalize import MODEL_CALLS
from traces.models import Trace
from traces.reading.queries import spans_of
from traces.summaries.summary import ANSWERING_TYPES

# So many model calls are read for one page of a conversation.
MAX_CALLS = 300
# Threads that a call is compared with, the latest first.
MAX_THREADS = 20
CALL_BYTES = stored_bytes("attributes", "events") + bytes_of_events()


@dataclass(slots=True)
class Turn:
    """A message, and the span that it was taken from. `is_failure`: what a failed call said instead of an answer."""

    message: Message
    span_id: str
    span_name: str
    is_failure: bool = False


@dataclass(slots=True)
class Chapter:
    """What a trace adds to the conversation; no turns where nothing in it is readable."""

    trace: Trace
    turns: list[Turn] = field(default_factory=list)


@dataclass(slots=True)
class _Thread:
    trace_id: UUID
    keys: list[str]


def load_calls(before: Trace | None, traces: Sequence[Trace]) -> tuple[dict[UUID, list[Span]], bool]:
    """The model calls and roots of the traces, by trace and start, and whether there are more: 300, or as many as an
    answer has room for. Those of the trace before are left out where they would take the others' room. Four queries.
    """
    found: dict[UUID, list[Span]] = defaultdict(list)
    if before is not None:
        traces = [before, *traces]
    if not traces:
        return found, False
    wanted = spans_of(*traces).filter(Q(span_type__in=MODEL_CALLS) | Q(parent_span_id__in=("", INVALID_SPAN_ID)))
    wanted = wanted.order_by(F("trace_row__start_time_unix_nano"), "trace_row", "start_time_unix_nano", "id")
    sizes = list(wanted.values_list("trace_row", CALL_BYTES)[: MAX_CALLS + 1])
    first, count = 0, fitting(size for _, size in sizes[:MAX_CALLS])
    if before is not None and count < len(sizes[:MAX_CALLS]):
        first = sum(key == before.pk for key, _ in sizes)
        count = fitting(size for _, size in sizes[first:MAX_CALLS])
    spans = list(wanted.defer("links", "resource", "scope", "warnings")[first : first + count])
    attach_logs(spans)
    for span in spans:
        found[span.trace_row_id].append(span)
    return found, len(sizes) > first + count


def trace_before(members: QuerySet[Trace], traces: Sequence[Trace]) -> Trace | None:
    """The trace of the session that comes before this page's first one. One query."""
    if not traces:
        return None
    first = traces[0]
    earlier = members.filter(start_time_unix_nano__lte=first.start_time_unix_nano).filter(
        Q(start_time_unix_nano__lt=first.start_time_unix_nano) | Q(pk__lt=first.pk)
    )
    return earlier.select_related("project").order_by("-start_time_unix_nano", "-pk").first()


def load(
    before: Trace | None, traces: Sequence[Trace], read: Callable[[Trace, Span], SpanContent]
) -> tuple[list[Chapter], bool]:
    """The chapters of a page of traces, and whether it has more calls than are read. Four queries.

    `before` is read as well, because the page's first trace repeats what was said until then.
    """
    spans, is_cut = load_calls(before, traces)
    found = chapters([before, *traces] if before else traces, spans, read)
    return (found[1:] if before else found), is_cut


def chapters(
    traces: Iterable[Trace], spans: dict[UUID, list[Span]], read: Callable[[Trace, Span], SpanContent]
) -> list[Chapter]:
    """A chapter for every trace, in their order. Pure but for `read`, which gives a span's content.

    Where no call of a trace says what the user asked, what went into the root does.
    """
    threads: list[_Thread] = []
    system: set[str] = set()
    found = []
    for trace in traces:
        contents = [(span, read(trace, span)) for span in spans.get(trace.pk, [])]
        chapter = Chapter(trace)
        calls = _telling(contents)
        if others := _roots_without_calls(contents, calls):
            calls = sorted([*calls, *others], key=lambda call: call[0].start_time_unix_nano)
        for call in calls:
            chapter.turns += _own_turns(*call) if call in others else _new_turns(trace, *call, threads, system)
        if not chapter.turns:
            chapter.turns = _root_turns(trace, contents)
        elif not others and not any(
            message["role"] == "user" for _, content in contents for message in content.input_messages
        ):
            asked = [turn for turn in _root_turns(trace, contents) if turn.message["role"] == "user"]
            chapter.turns = asked + chapter.turns
        found.append(chapter)
    return found


def _roots_without_calls(
    contents: list[tuple[Span, SpanContent]], calls: list[tuple[Span, SpanContent]]
) -> list[tuple[Span, SpanContent]]:
    """Of several roots those while which no call began: some programs put every turn of a session into one trace, and
    say of some turns only what was asked and answered.
    """
    roots = [pair for pair in contents if pair[0].parent_span_id in ("", INVALID_SPAN_ID)]
    if len(roots) < 2:
        return []
    starts = [span.start_time_unix_nano for span, _ in calls]
    return [
        (span, content)
        for span, content in roots
        if span.span_type in ANSWERING_TYPES
        and not any(span.start_time_unix_nano <= start <= span.end_time_unix_nano for start in starts)
    ]


def _telling(contents: list[tuple[Span, SpanContent]]) -> list[tuple[Span, SpanContent]]:
    """The calls to read: without the spans of single tokens, which have an output, no input and no usage.

    Of a call and its wrapper the one inside is read where it is readable, which keeps the order of what was said.
    """
    calls = [
        (span, content)
        for span, content in contents
        if span.span_type in MODEL_CALLS and (content.input_messages or content.output_messages or content.is_error)
    ]
    pieces = [
        (span, content)
        for span, content in calls
        if not content.input_messages and not span.counted and not content.is_error
    ]
    kept = [call for call in calls if call not in pieces]
    if pieces and not any(content.output_messages for _, content in kept):
        kept.append(max(pieces, key=lambda call: len(call[1].output_text)))
    wrappers = {span.parent_span_id for span, content in kept if content.input_messages}
    readable = {span.span_id for span, content in kept if content.input_messages}
    return [
        (span, content)
        for span, content in kept
        if span.span_id not in wrappers
        and (content.input_messages or content.output_messages or span.parent_span_id not in readable)
    ]


def _new_turns(trace: Trace, span: Span, content: SpanContent, threads: list[_Thread], system: set[str]) -> list[Turn]:
    turns = []
    for message in content.input_messages:
        if message["role"] == "system" and (key := message_key(message)) not in system:
            system.add(key)
            turns.append(Turn(message, span.span_id, span.title))
    asked = [message for message in content.input_messages if message["role"] != "system" and message_key(message)]
    answers = [message for message in content.output_messages if message_key(message)]
    messages = asked + answers
    keys = [message_key(message) for message in messages]
    thread, known = _longest(threads, keys)
    if thread is not None and thread.trace_id != trace.pk and known >= len(asked):
        # Another trace that says the same again: its question belongs to it.
        users = [number for number, message in enumerate(asked) if message["role"] == "user"]
        known = users[-1] if users else 0
    turns += [Turn(message, span.span_id, span.title) for message in messages[known:]]
    if content.is_error and not answers:
        turns.append(_failure_turn(span, content))
    if keys:
        if thread is not None and known >= len(thread.keys):
            threads.remove(thread)
        threads.insert(0, _Thread(trace.pk, keys))
        del threads[MAX_THREADS:]
    return turns


def _longest(threads: list[_Thread], keys: list[str]) -> tuple[_Thread | None, int]:
    """The thread of which the call repeats most, and how many of its messages it repeats, from its first on.

    A thread may have lost its beginning: programs cut long histories.
    """
    best: tuple[_Thread | None, int] = (None, 0)
    for thread in threads:
        for start, key in enumerate(thread.keys):
            if keys and key == keys[0]:
                length = 0
                for one, other in zip(thread.keys[start:], keys, strict=False):
                    if one != other:
                        break
                    length += 1
                # From the middle of a thread it is a repetition only if it reaches the thread's end.
                if length > best[1] and (start == 0 or start + length == len(thread.keys)):
                    best = (thread, length)
    return best


def _root_turns(trace: Trace, contents: list[tuple[Span, SpanContent]]) -> list[Turn]:
    """Without readable model calls: what went into the root and came out, else the trace's previews."""
    root, content = next(
        ((span, content) for span, content in contents if span.span_id == trace.root_span_id), (None, None)
    )
    asked = (content and content.input_text) or trace.input_preview
    answered = (content and content.output_text) or trace.output_preview
    span_id, name = (root.span_id, root.name) if root is not None else ("", "")
    return [_text_turn(role, text, span_id, name) for role, text in (("user", asked), ("assistant", answered)) if text]


def _own_turns(span: Span, content: SpanContent) -> list[Turn]:
    """What went into a span and came out, or how it failed."""
    texts = [("user", content.input_text), ("assistant", content.output_text)]
    found = [_text_turn(role, text, span.span_id, span.title) for role, text in texts if text]
    if content.is_error and not content.output_text:
        found.append(_failure_turn(span, content))
    return found


def _text_turn(role: str, text: str, span_id: str, span_name: str) -> Turn:
    return Turn({"role": role, "parts": [{"type": "text", "text": text}]}, span_id, span_name)


def _failure_turn(span: Span, content: SpanContent) -> Turn:
    turn = _text_turn(
        "error", content.error_message or content.error_type or "The call failed.", span.span_id, span.title
    )
    turn.is_failure = True
    return turn


def message_key(message: Message) -> str:
    """What makes a message the same one when it is sent again; "" where there is nothing to show.

    Ids, names, reasoning and white space may differ between an answer and its repetition.
    """
    said = []
    for part in message["parts"]:
        kind = part["type"]
        if kind == "text":
            said.append(" ".join(str(part["text"]).split()))
        elif kind == "tool_call":
            said.append(f"call {part.get('name')} {_plain(part.get('arguments'))}")
        elif kind == "tool_result":
            said.append(f"result {_plain(part.get('result'))}")
        elif kind == "media":
            said.append(
                f"media {part.get('mime_type')} {part.get('file_id') or part.get('uri')} {part.get('transcript')}"
            )
        elif kind == "unknown":
            said.append(f"{part.get('name')} {_plain(part.get('value'))}")
    text = "\n".join(item for item in said if item)
    if not text and any(part["type"] == "reasoning" for part in message["parts"]):
        text = "reasoning"
    return f"{message['role']}\n{text}" if text else ""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
