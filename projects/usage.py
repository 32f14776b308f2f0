"""What projects send today, and whether they may send more: rate limits and daily quotas.

Every process counts for itself and adds its counts to the project's row of the day (`DailyUsage`) once a second. What
comes back tells it what the other processes have let in, and it takes that out of its own allowance too. So no request
waits for a counter, and no limit is exceeded by more than what all processes let in within FLUSH_SECONDS. A process
that is killed loses the counts of its last second.
"""

import datetime
import logging
import math
import threading
import time
from dataclasses import dataclass, field

from django.db import DatabaseError, connection

from projects.models import DailyUsage, Project

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# How many seconds' worth of its rate a project may send at once
BURST_SECONDS = 2.0

_table = DailyUsage._meta.db_table
# From the project's row, so that nothing is counted for a deleted project
_ADD = (
    f"INSERT INTO {_table} (project_id, day, requests, spans, bytes) "  # noqa: S608
    f"SELECT id, %s, %s, %s, %s FROM {Project._meta.db_table} WHERE id = %s "
    "ON CONFLICT (project_id, day) DO UPDATE SET requests = {t}.requests + excluded.requests, "
    "spans = {t}.spans + excluded.spans, bytes = {t}.bytes + excluded.bytes RETURNING requests, spans, bytes"
).format(t=_table)


class LimitReached(Exception):
    """The project has sent enough for now. The text is for the sender."""

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class Counts:
    requests: int = 0
    spans: int = 0
    bytes: int = 0

    def add(self, other: "Counts") -> None:
        self.requests += other.requests
        self.spans += other.spans
        self.bytes += other.bytes


@dataclass(slots=True)
class Bucket:
    """A token bucket that may be overdrawn: then nothing is let in until the debt is paid by time."""

    level: float | None = None
    filled_at: float = 0.0

    def missing_seconds(self, rate: int, now: float) -> float:
        """How long until there is a whole token in it; 0 if there is."""
        capacity = max(rate * BURST_SECONDS, 1.0)
        level = capacity if self.level is None else self.level + (now - self.filled_at) * rate
        self.level, self.filled_at = min(level, capacity), now
        return max(0.0, (1 - self.level) / rate)

    def take(self, amount: float) -> None:
        if self.level is not None:
            self.level -= amount


@dataclass(slots=True)
class Account:
    """One project in this process. `total` is the stored row of the day, as far as it is known."""

    day: datetime.date
    total: Counts | None = None
    pending: Counts = field(default_factory=Counts)
    spans: Bucket = field(default_factory=Bucket)
    requests: Bucket = field(default_factory=Bucket)


class Meter:
    """The accounts of a process, and the thread that shares them with the other processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._accounts: dict[int, Account] = {}
        self._past: list[tuple[int, datetime.date, Counts]] = []
        self._due = threading.Event()
        self._thread: threading.Thread | None = None

    def needs_query(self, project: Project) -> bool:
        """Whether `check` has to ask the database first: the project has a quota, and what it has used is not known."""
        return _has_quota(project) and not self._knows(project.pk, _today())

    def check(self, project: Project) -> None:
        """Let a request in, which counts as one, or raise LimitReached. One query if `needs_query`."""
        today = _today()
        if self.needs_query(project):
            stored = DailyUsage.objects.filter(project=project, day=today).first()
            known = Counts(stored.requests, stored.spans, stored.bytes) if stored else Counts()
            with self._lock:
                account = self._account(project.pk, today)
                account.total = account.total or known
        with self._lock:
            account = self._account(project.pk, today)
            _check_quota(project, account)
            _check_rate(project, account, time.monotonic())
            account.requests.take(1)
            account.pending.requests += 1
        self._wake()

    def charge(self, project_id: int, spans: int, body_bytes: int) -> None:
        """Count what a request brought that was let in."""
        with self._lock:
            account = self._account(project_id, _today())
            account.spans.take(spans)
            account.pending.add(Counts(0, spans, body_bytes))
        self._wake()

    def flush(self) -> None:
        """Add what is pending to the table, and learn what the other processes added. Raises DatabaseError.

        One statement a project that has sent something.
        """
        with self._flushing:
            with self._lock:
                work, self._past = self._past, []
                for project_id, account in self._accounts.items():
                    if account.pending != Counts():
                        work.append((project_id, account.day, account.pending))
                        account.pending = Counts()
                        # Until the answer is here it counts as if it were stored.
                        if account.total is not None:
                            account.total.add(work[-1][2])
            while work:
                project_id, day, counts = work[-1]
                try:
                    total = _add(project_id, day, counts)
                except DatabaseError:
                    with self._lock:
                        self._past += work
                    raise
                work.pop()
                self._learn(project_id, day, counts, total)

    def _learn(self, project_id: int, day: datetime.date, added: Counts, total: Counts | None) -> None:
        with self._lock:
            account = self._accounts.get(project_id)
            if total is None:
                self._accounts.pop(project_id, None)
            elif account is not None and account.day == day:
                if account.total is not None:
                    account.spans.take(max(0, total.spans - account.total.spans))
                    account.requests.take(max(0, total.requests - account.total.requests))
                account.total = total

    def _knows(self, project_id: int, today: datetime.date) -> bool:
        with self._lock:
            return self._account(project_id, today).total is not None

    def _account(self, project_id: int, today: datetime.date) -> Account:
        """The project's account of the day; what is pending of an earlier one is kept for the next flush."""
        account = self._accounts.get(project_id)
        if account is None:
            account = self._accounts[project_id] = Account(today)
        elif account.day != today:
            if account.pending != Counts():
                self._past.append((project_id, account.day, account.pending))
            account.day, account.total, account.pending = today, Counts(), Counts()
        return account

    def _wake(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
                    self._thread.start()
        self._due.set()

    def _run(self) -> None:
        while True:
            self._due.wait()
            time.sleep(FLUSH_SECONDS)
            self._due.clear()
            try:
                self.flush()
            except DatabaseError as error:
                logger.warning("Usage is written later: %s", type(error).__name__)
                self._due.set()
                connection.close()
            if not self._due.is_set():
                connection.close()


def _has_quota(project: Project) -> bool:
    return project.daily_quota_spans is not None or project.daily_quota_bytes is not None


def _check_quota(project: Project, account: Account) -> None:
    for unit, quota in (("spans", project.daily_quota_spans), ("bytes", project.daily_quota_bytes)):
        used = getattr(account.total or Counts(), unit) + getattr(account.pending, unit)
        if quota is not None and used >= quota:
            raise LimitReached(f"the project's quota of {quota} {unit} a day is used up", _seconds_to_midnight())


def _check_rate(project: Project, account: Account, now: float) -> None:
    for unit, rate in (("spans", project.rate_limit_spans), ("requests", project.rate_limit_requests)):
        missing = getattr(account, unit).missing_seconds(rate, now) if rate is not None else 0.0
        if missing:
            raise LimitReached(f"the project may send {rate} {unit} a second", math.ceil(missing))


def _add(project_id: int, day: datetime.date, counts: Counts) -> Counts | None:
    """The project's row of the day with these added to it, None if there is no such project. One statement."""
    date = connection.ops.adapt_datefield_value(day)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [date, counts.requests, counts.spans, counts.bytes, project_id])
        row = cursor.fetchone()
    return Counts(*row) if row else None


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _seconds_to_midnight() -> int:
    now = datetime.datetime.now(datetime.UTC)
    tomorrow = datetime.datetime.combine(now.date() + datetime.timedelta(days=1), datetime.time(), datetime.UTC)
    return math.ceil((tomorrow - now).total_seconds())


meter = Meter()
