"""What the logs say, and what they never say: a prompt, a key, a payload.

Log calls name ids and counts. What can't be trusted to do so is an exception's text, which may quote the row or the
answer it failed on: every formatter here prints of an exception its type and where it happened, and its text only where
that comes from the operating system or a connection.
"""

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import orjson
from django import db
from redis.exceptions import ConnectionError as RedisConnectionError

from projects.request_context import project_id, request_id
from traces.otlp.self_tracing import current_ids

# Third parties that put an exception's text into their message, after its first line
VERBOSE_LOGGERS = ("asyncio", "rq", "grpc", "uvicorn")
# The first line of their text says what could not be reached, or that a lock or the disk was the reason.
TELLING = (db.OperationalError, OSError, RedisConnectionError)

# What would end a line, move the cursor of a terminal or turn the direction of the text
FORGING = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x61C,
    0x200E,
    0x200F,
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
]
VISIBLE = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in FORGING} | {
    10: "\\n",
    13: "\\r",
    9: "\\t",
}
# JSON's own escapes; orjson writes those below 0x20.
VISIBLE_IN_JSON = {code: f"\\u{code:04x}" for code in FORGING if code >= 0x20}
# How often a message that any client can cause is logged, and how many different ones are remembered
SELDOM_SECONDS = 10
SELDOM_MESSAGES = 1_000

logger = logging.getLogger(__name__)


def exception_text(error: BaseException) -> str:
    """The exception's type, with its `log_text`, if it has one, or the first line of a text that never quotes data."""
    name = type(error).__qualname__
    if log_text := getattr(error, "log_text", ""):
        return f"{name}: {log_text}"
    if not isinstance(error, TELLING) or type(error).__module__.startswith("requests."):
        return name
    return f"{name}: {str(error).partition(chr(10))[0][:300]}"


def exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and those that led to it, the first cause last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def visible(text: str) -> str:
    """The text in one line that shows what is in it: whoever chose a part of it can't make it look like two."""
    return text.translate(VISIBLE).encode("utf-8", "backslashreplace").decode()


def safe_message(record: logging.LogRecord) -> str:
    """The message with exceptions among its arguments told by `exception_text`."""
    message = exception_text(record.msg) if isinstance(record.msg, BaseException) else str(record.msg)
    arguments = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(exception_text(item) if isinstance(item, BaseException) else item for item in arguments)
    message = message % arguments if arguments else message
    if record.name.partition(".")[0] in VERBOSE_LOGGERS:
        message = message.partition("\n")[0]
    return message


def safe_exception(record: logging.LogRecord) -> tuple[str, list[str]]:
    """Type and text of the record's exception and its causes, and the frames of the first cause; empty without one."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return "", []
    chain = list(exception_chain(error))
    frames = traceback.extract_tb(chain[-1].__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return " from ".join(exception_text(item) for item in chain), lines


def context_fields() -> dict[str, Any]:
    """What the record belongs to: request, project, and the platform's own trace, where there are such."""
    fields: dict[str, Any] = {}
    if request_id.get():
        fields["request_id"] = request_id.get()
    if project_id.get() is not None:
        fields["project_id"] = project_id.get()
    return fields | current_ids()


def encodable(value: Any) -> Any:
    """The value; a text without halves of characters, which no UTF-8 can hold."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def named(name: str, value: Any) -> str:
    """A field of a text line; quoted where it would look like several."""
    text = str(value)
    if set(text) & set(' ="'):
        text = orjson.dumps(encodable(text)).decode()
    return f"{name}={text}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the ids it belongs to, exception and its frames."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": safe_message(record),
            **context_fields(),
            **getattr(record, "fields", {}),
        }
        exception, frames = safe_exception(record)
        if exception:
            line |= {"exception": exception, "frames": frames}
        line = {name: encodable(value) for name, value in line.items()}
        return orjson.dumps(line, default=str).decode().translate(VISIBLE_IN_JSON)


class TextFormatter(logging.Formatter):
    """The same for people: one line, the ids at its end, and frames below."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(sep=" ", timespec="milliseconds")[:-6]
        line = f"{time} {record.levelname} {record.name}: {safe_message(record)}"
        fields = context_fields() | getattr(record, "fields", {})
        if fields:
            line += " " + " ".join(named(name, value) for name, value in fields.items())
        exception, frames = safe_exception(record)
        return "\n  ".join(visible(text) for text in [f"{line}: {exception}" if exception else line, *frames])


class OnlyFailures(logging.Filter):
    """For django.request: only the exceptions of views, not once more every answer from 400 up."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


class UnknownHost(logging.Filter):
    """For requests by a name that ALLOWED_HOSTS lacks: one message for all, without the frames that Django adds."""

    def filter(self, record: logging.LogRecord) -> bool:
        host = safe_message(record).partition(": ")[2].partition(". ")[0]
        record.msg, record.args, record.exc_info = "A request named a host that is not in ALLOWED_HOSTS", (), None
        record.fields = {"host": host.strip("'\"")[:200]}
        return True


class Seldom(logging.Filter):
    """For what any client can cause as often as it likes: of equal messages one in SELDOM_SECONDS, with the number of
    those that were left out before it. Exceptions always pass.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.lock = threading.Lock()
        self.said: dict[str, float] = {}
        self.left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            return True
        message, now = safe_message(record), monotonic()
        with self.lock:
            if now - self.said.get(message, float("-inf")) < SELDOM_SECONDS:
                self.left_out[message] += 1
                return False
            if len(self.said) >= SELDOM_MESSAGES:
                self.said.clear()
            self.said[message] = now
            if left_out := self.left_out.pop(message, 0):
                record.fields = {**getattr(record, "fields", {}), "left_out": left_out}
        return True


def log_job_failure(job: Any, kind: type[BaseException], error: BaseException, *_: object) -> None:
    """django-rq's exception handler: rq itself says in the log only which job failed."""
    logger.error("Job %s failed", job.id, exc_info=error)


def log_thread_failure(arguments: threading.ExceptHookArgs) -> None:
    """In place of Python's own hook, which prints the exception's text."""
    error = arguments.exc_value
    name = arguments.thread.name if arguments.thread else "?"
    logger.error("Thread %s failed", name, exc_info=error)
