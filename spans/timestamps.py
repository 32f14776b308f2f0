"""Nanoseconds since 1970 as times and durations, by integer arithmetic only."""

import datetime
import time

NS_PER_SECOND = 1_000_000_000
# Clocks differ a little; what lies further ahead of this server's is a clock or a unit gone wrong.
CLOCK_AHEAD_NS = 10 * 60 * NS_PER_SECOND
# Earlier times are a clock or a unit gone wrong: OpenTelemetry did not exist.
YEAR_2000_UNIX_NANO = 946_684_800_000_000_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def ahead_ns(unix_nano: int) -> int:
    """How far a time lies in the future; 0 where that may be the difference of two clocks."""
    ahead = unix_nano - time.time_ns()
    return ahead if ahead > CLOCK_AHEAD_NS else 0


def from_unix_nano(unix_nano: int) -> datetime.datetime:
    """The UTC time, cut to microseconds. Holds for every value that a signed 64-bit column takes."""
    return EPOCH + datetime.timedelta(microseconds=unix_nano // 1_000)


def to_unix_nano(moment: datetime.datetime) -> int:
    """An aware time as nanoseconds."""
    return (moment - EPOCH) // datetime.timedelta(microseconds=1) * 1_000


def iso_utc(unix_nano: int) -> str:
    """ISO 8601 in UTC with all nine digits: 2026-01-02T03:04:05.000000006Z."""
    seconds, nanoseconds = divmod(unix_nano, NS_PER_SECOND)
    return f"{EPOCH + datetime.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _long_duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02d}h"
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {seconds:02d}s"


def format_duration(duration_ns: int) -> str:
    """A duration for people, three digits below a minute: 0 ms, 850 ns, 12.3 ms, 1.24 s, 2m 05s, 1h 02m, 3d 04h."""
    if duration_ns == 0:
        return "0 ms"
    if duration_ns >= 59_950_000_000:
        return _long_duration((duration_ns + NS_PER_SECOND // 2) // NS_PER_SECOND)
    units = (("ns", 1), ("µs", 1_000), ("ms", 1_000_000))
    fitting = (pair for pair in units if duration_ns * 2 < pair[1] * 1_999)
    unit, size = next(fitting, ("s", NS_PER_SECOND))
    value = duration_ns / size
    digits = 0 if unit == "ns" or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"
