import datetime

import pytest

from spans.timestamps import format_duration, from_unix_nano, iso_utc, to_unix_nano


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ms"),
        (850, "850 ns"),
        (9_994, "9.99 µs"),
        (999_499_999, "999 ms"),
        (999_500_000, "1.00 s"),
        (59_960_000_000, "1m 00s"),
        (125_000_000_000, "2m 05s"),
        (3_720_000_000_000, "1h 02m"),
        (4 * 86_400_000_000_000, "4d 00h"),
    ],
)
def test_durations_read_well(duration_ns, text):
    assert format_duration(duration_ns) == text


def test_a_time_keeps_every_nanosecond_as_text():
    assert iso_utc(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


def test_times_are_exact_to_the_microsecond_both_ways():
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.UTC)
    assert from_unix_nano(to_unix_nano(moment)) == moment


def test_the_largest_stored_time_is_a_time():
    assert from_unix_nano(2**63 - 1).year == 2262
