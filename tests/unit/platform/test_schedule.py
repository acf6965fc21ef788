"""When cron triggers are due: zones, clock changes, what was missed (`project/schedule.py`)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.platform.project.schedule import (
    MOST,
    CatchUp,
    Schedule,
    expression_problem,
    timezone_problem,
    to_start,
)

_MINUTE = timedelta(minutes=1)
#: Zones, and days on which their clocks change, by an hour, half an hour, or a whole day.
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Africa/Cairo", "2026-04-24"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Kathmandu", "2026-05-01"),
    ("UTC", "2026-03-29"),
]


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def by_hand(minutes: set[int], hours: set[int], zone: ZoneInfo, start: datetime) -> set[datetime]:
    """Debian's rule for fixed times of day, looked up for each minute that a wall clock may show.

    A time that is skipped comes when clocks go on; one that comes twice counts once.
    """
    found = set()
    for days, hour, minute in product(range(-1, 4), hours, minutes):
        wall = start.replace(tzinfo=zone) + timedelta(days=days, hours=hour, minutes=minute)
        while wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(
            tzinfo=None
        ):
            wall += _MINUTE
        found.add(wall.astimezone(UTC))
    return found


def real_time(minutes: set[int], zone: ZoneInfo, start: datetime) -> set[datetime]:
    """What is due every hour goes by the minutes that really pass."""
    passing = (start + n * _MINUTE for n in range(3 * 24 * 60 + 1))
    return {moment for moment in passing if moment.astimezone(zone).minute in minutes}


times_of_day = st.sets(st.integers(0, 59), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CHANGES), times_of_day, st.sets(st.integers(0, 23), min_size=1, max_size=4))
def test_fixed_times_follow_the_wall_clock_through_a_change(
    change: tuple[str, str], minutes: set[int], hours: set[int]
) -> None:
    name, text = change
    zone, start = ZoneInfo(name), day(text)
    end = start + timedelta(days=3)
    said = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    expected = {m for m in by_hand(minutes, hours, zone, start) if start < m <= end}
    assert Schedule(said, name).between(start, end) == sorted(expected)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(CHANGES), times_of_day)
def test_hourly_times_go_by_real_time(change: tuple[str, str], minutes: set[int]) -> None:
    name, text = change
    start = day(text)
    said = f"{','.join(map(str, minutes))} * * * *"
    found = Schedule(said, name).between(start, start + timedelta(days=3))
    assert found == sorted(real_time(minutes, ZoneInfo(name), start) - {start})


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CHANGES), st.integers(0, 3 * 24 * 60), st.sampled_from(
    ["*/20 * * * *", "30 2 * * *", "15 1,2,3 * * *", "0 */2 * * *", "45 0 * * 0"]
))  # fmt: skip
def test_times_are_the_same_wherever_one_begins_to_look(
    change: tuple[str, str], cut: int, said: str
) -> None:
    name, text = change
    schedule, start = Schedule(said, name), day(text)
    middle, end = start + cut * _MINUTE, start + timedelta(days=3)
    whole = schedule.between(start, end)
    assert schedule.between(start, middle) + schedule.between(middle, end) == whole
    assert whole == sorted(set(whole))


@pytest.mark.parametrize(
    ("said", "zone", "after", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00", "2026-10-25T00:30"),
        ("0 9 * * *", "Africa/Nairobi", "2026-06-01T00:00", "2026-06-01T06:00"),
        ("0 9 * * *", "UTC", "2026-06-01T00:00", "2026-06-01T09:00"),
    ],
)
def test_the_next_time_is_told_in_utc(said: str, zone: str, after: str, expected: str) -> None:
    assert next(Schedule(said, zone).after(day(after))) == day(expected)


def test_what_was_missed_follows_the_rule() -> None:
    minute = day("2026-01-01T10:15")
    due = Schedule("*/5 * * * *").between(day("2026-01-01T10:00"), minute)
    assert [time.minute for time in due] == [5, 10, 15]
    assert to_start(due, minute, CatchUp.NONE) == [minute]
    assert to_start(due, minute, CatchUp.ONE) == [minute]
    assert to_start(due, minute, CatchUp.ALL) == due
    late = minute + _MINUTE
    assert to_start(due, late, CatchUp.NONE) == []
    assert to_start(due, late, CatchUp.ONE) == [minute]


def test_only_so_much_is_caught_up() -> None:
    end = day("2026-06-01")
    assert len(Schedule("* * * * *").between(end - timedelta(days=3), end)) == MOST
    assert Schedule("0 0 1 1 *").between(day("2020-01-01"), end) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 * * * *", "bad minute"),
        ("0 0 31 2 *", "bad day-of-month"),
    ],
)
def test_what_is_no_expression_is_told(said: str, words: str) -> None:
    assert words in str(expression_problem(said))
    assert expression_problem("0 9 * * 1-5") is None


@pytest.mark.parametrize("name", ["Berlin", "europe/berlin", "../etc/passwd", "Europe", "CEST+9"])
def test_what_is_no_time_zone_is_told(name: str) -> None:
    assert f"no time zone {name!r}" in str(timezone_problem(name))
    assert timezone_problem("Europe/Berlin") is None
