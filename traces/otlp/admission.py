"""Who may export, and how many at a time: the same for HTTP and gRPC, whose event loops never touch the database."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django import db
from django.conf import settings

from projects.authentication import find_key, known_key
from projects.models import ApiKey
from projects.request_context import project_id
from projects.usage import meter
from traces.ingest.deadline import Deadline, set_deadline
from traces.otlp.errors import PERMISSION_DENIED, UNAVAILABLE, OtlpError, otlp_error
from traces.otlp.refusals import Refusals

logger = logging.getLogger(__name__)

T = TypeVar("T")

BODY_SECONDS = 60
# Exporters give up after 10 s: the answer comes before that, also when the database does not.
KEY_SECONDS = 3.0
KEY_THREADS = 2
EXPORT_SECONDS = 6.5


def run_in_database_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call the function, which may be called twice, with this thread's database connection.

    Nothing asks the server first whether an idle connection still holds: one that has broken shows so at its first use,
    and the call is made again with a new one.
    """
    before = db.connection.connection
    try:
        return function(*arguments)
    except (db.OperationalError, db.InterfaceError):
        db.close_old_connections()
        if before is not None and db.connection.connection is not before:
            return function(*arguments)
        raise


def look_up_key(headers: Mapping[str, str]) -> ApiKey:
    """The key in the headers, whose project may send now. Raises OtlpError. Runs in a thread."""
    try:
        return run_in_database_thread(lambda: let_in(find_key(headers)))
    except Exception as error:
        raise otlp_error(error) from error


def let_in(key: ApiKey) -> ApiKey:
    """The key itself, if its project may send now. Raises LimitReached."""
    if key.can_ingest:
        meter.check(key.project)
    return key


def check_scope(key: ApiKey) -> None:
    """Raises OtlpError (403) if the key may not send at all."""
    if not key.can_ingest:
        raise OtlpError(PERMISSION_DENIED, "this API key may not send spans")


class ExportThreads:
    """The threads that exports run in, and how many exports may be under way or waiting for one."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="export")
        # Apart, so that a new request never waits behind those that have been let in.
        self.key_executor = ThreadPoolExecutor(KEY_THREADS, thread_name_prefix="export-key")
        self.refusals = Refusals(self.key_executor, run_in_database_thread)
        self.taken = 0

    async def authenticate(self, headers: Mapping[str, str]) -> ApiKey:
        """The key in the headers, whose project may send now.

        Raises OtlpError (401, 429, 503), InvalidKey, LimitReached.
        """
        known = known_key(headers)
        if known is not None and not meter.needs_query(known.project):
            key = let_in(known)
        else:
            looking = self.key_executor.submit(contextvars.copy_context().run, look_up_key, headers)
            key = await _finish(looking, KEY_SECONDS)
        project_id.set(key.project_id)
        return key

    async def export(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run an export. Raises OtlpError (503), at once if MAX_CONCURRENT_EXPORTS are under way."""
        if self.taken >= settings.MAX_CONCURRENT_EXPORTS:
            raise OtlpError(UNAVAILABLE, "too many exports at the same time; send again")
        self.taken += 1
        deadline = Deadline()
        context = contextvars.copy_context()
        context.run(set_deadline, deadline)
        try:
            return await _finish(self.executor.submit(context.run, function, *arguments), EXPORT_SECONDS, deadline)
        finally:
            self.taken -= 1

    def flush(self) -> None:
        """Write what was counted and refused in the last second; a database that can't take it loses only that."""
        self.refusals.finish()
        try:
            run_in_database_thread(meter.flush)
        except db.Error as error:
            logger.warning("The usage of the last second was not recorded: %s", type(error).__name__)

    def shutdown(self) -> None:
        """Take nothing new; what has begun goes on to its end."""
        self.executor.shutdown(wait=False)
        self.key_executor.shutdown(wait=False)


async def _finish(future: "Future[T]", seconds: float, deadline: Deadline | None = None) -> T:
    """Wait so long, and longer only for a commit that has begun: what has begun goes on without being stored, what has
    not is cancelled. Raises OtlpError (503).
    """
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.wait_for(asyncio.shield(waiting), seconds)
    except TimeoutError:
        if waiting.done() or (deadline is not None and not deadline.give_up()):
            return await waiting
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise OtlpError(UNAVAILABLE, "the server or its database is too slow now; send again") from None
    finally:
        future.cancel()
