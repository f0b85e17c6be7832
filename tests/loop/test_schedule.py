"""When the next iteration is due: by hand for each rule, and what must hold whatever the plan."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from loop.schedule import (
    Due,
    Facts,
    NotYet,
    Plan,
    Reading,
    Skip,
    decide,
    in_quiet_hours,
    occurrence_before,
    occurrences,
    quiet_end,
)

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAILY = Plan(kind="clock", cron="0 2 * * *", zone=BERLIN)


def utc(month, day, hour, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def facts(now=NOW, since=None, **values):
    return Facts(now=now, since=since or now, **({"fired_at": None} | values))


# ------------------------------------------------------------------------------------------------ by clock
def test_a_clock_is_due_once_its_time_has_come_and_then_says_when_it_is_next():
    before, at, after = utc(5, 20, 0, 59), utc(5, 21, 0), utc(5, 21, 0, 1)
    assert decide(DAILY, facts(before, since=utc(5, 20, 0, 30))) == NotYet(at)
    due = decide(DAILY, facts(at, since=before))
    assert due == Due("2026-05-21T00:00Z", "due at 2026-05-21 00:00 UTC")
    assert decide(DAILY, facts(after, since=at, fired_at=at)) == NotYet(utc(5, 22, 0))


def test_three_missed_days_give_one_start_that_says_so():
    since = utc(5, 20, 12)
    due = decide(DAILY, facts(utc(5, 23, 9), since=since))
    assert (due.key, due.missed) == ("2026-05-23T00:00Z", 2)
    assert decide(DAILY, facts(utc(5, 23, 9, 1), since=utc(5, 23, 9))) == NotYet(utc(5, 24, 0))


@pytest.mark.parametrize(
    ("line", "around", "expected"),
    [
        # 29 March 2026: 02:00 to 03:00 does not exist; made up for at 03:00. 25 October: 02:30 comes twice.
        ("30 2 * * *", utc(3, 28, 12), [utc(3, 29, 1), utc(3, 30, 0, 30)]),
        ("30 2 * * *", utc(10, 24, 12), [utc(10, 25, 0, 30), utc(10, 26, 1, 30)]),
        ("30 2 * * *", utc(10, 25, 1, 16), [utc(10, 26, 1, 30)]),  # asked in the second of the two hours
        ("0 * * * *", utc(10, 24, 23, 30), [utc(10, 25, 0), utc(10, 25, 1), utc(10, 25, 2)]),
    ],
)
def test_over_summer_time(line, around, expected):
    plan = Plan(kind="clock", cron=line, zone=BERLIN)
    assert list(islice(occurrences(plan, around), len(expected))) == expected


# ------------------------------------------------------------------------------------------------- by data
EVERY_50 = Plan(kind="data", every=50)


def test_every_n_counts_answers_since_the_last_start():
    assert decide(EVERY_50, facts(answers=49, firings=3)) == NotYet(None)
    assert decide(EVERY_50, facts(answers=50, firings=3)) == Due("data-4", "50 answers newly accepted")


def test_weight_by_agreement_is_its_own_threshold():
    plan = Plan(kind="data", every=40, weighted=True)
    assert decide(plan, facts(answers=60, weight=39.9)) == NotYet(None)
    assert decide(plan, facts(answers=60, weight=40.0)).because == "new examples weigh 40 by agreement"


def test_the_longest_spacing_starts_with_fewer_but_not_with_nothing():
    plan = EVERY_50.model_copy(update={"max_hours": 24.0})
    fired = NOW - timedelta(hours=25)
    assert decide(plan, facts(fired_at=fired, answers=0)) == NotYet(None)
    assert isinstance(decide(plan, facts(fired_at=fired, answers=1)), Due)
    assert decide(plan, facts(fired_at=NOW - timedelta(hours=4), answers=1)) == NotYet(
        NOW + timedelta(hours=20)
    )


# ------------------------------------------------------------------------------------------------ by drift
def read(*values, high=None):
    return [Reading(str(i), v, high, NOW + timedelta(hours=i)) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("readings", "due"),
    [
        (read(0.70), False),
        (read(0.70, 0.66), False),
        (read(0.70, 0.65), True),  # by exactly the drop
        (read(0.60, 0.70, 0.66, 0.64), True),  # against the best, not the one before
        (read(0.64, 0.70), False),
        (read(0.70, 0.60, high=0.71), False),  # its interval reaches the best
        (read(0.70, 0.60, high=0.69), True),
    ],
)
def test_a_fall_of_the_watched_metric(readings, due):
    plan = Plan(kind="drift", metric="probe", drop=0.05)
    assert isinstance(decide(plan, facts(readings=readings)), Due) is due


# ------------------------------------------------------------------------- what keeps a due start back
def test_spacing_and_quiet_hours_hold_a_start_back_and_busy_skips_it():
    plan = EVERY_50.model_copy(
        update={"zone": BERLIN, "min_hours": 6.0, "quiet_from": time(8), "quiet_to": time(18)}
    )
    night, noon = utc(5, 20, 20), utc(5, 20, 10)  # 22:00 and 12:00 in Berlin
    full = {"answers": 80}
    assert isinstance(decide(plan, facts(night, **full)), Due)
    early = facts(night, fired_at=night - timedelta(hours=2), **full)
    assert decide(plan, early) == NotYet(night + timedelta(hours=4), "spacing")
    assert decide(plan, facts(noon, **full)) == NotYet(utc(5, 20, 16), "quiet")
    both = facts(noon, fired_at=noon - timedelta(hours=1), **full)  # the spacing ends in quiet hours, too
    assert decide(plan, both) == NotYet(utc(5, 20, 16), "quiet")
    assert decide(plan, facts(night, busy="Iteration 4 is open", **full)) == Skip(
        "data-1", "Iteration 4 is open"
    )


def test_quiet_hours_over_midnight_and_over_a_clock_change():
    plan = DAILY.model_copy(update={"quiet_from": time(22), "quiet_to": time(2, 30)})
    for at in (utc(5, 20, 20), utc(5, 20, 23), utc(5, 21, 0)):
        assert quiet_end(plan, at) == utc(5, 21, 0, 30)
    assert quiet_end(plan, utc(5, 21, 0, 30)) == utc(5, 21, 0, 30)
    # 29 March: 02:30 does not exist; it would have been 01:30 UTC, and 01:00 UTC is 03:00 already.
    assert quiet_end(plan, utc(3, 29, 0, 59)) == utc(3, 29, 1, 30)
    # 25 October: half past two comes twice; from the second two o'clock on it is quiet once more.
    assert quiet_end(plan, utc(10, 25, 0, 10)) == utc(10, 25, 0, 30)
    assert quiet_end(plan, utc(10, 25, 1, 10)) == utc(10, 25, 1, 30)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "clock"}, "needs a cron line"),
        ({"kind": "clock", "cron": "0 2 * *"}, "five parts"),
        ({"kind": "clock", "cron": "99 2 * * *"}, "bad minute"),
        ({"kind": "clock", "cron": "0 0 30 2 *"}, "cannot be read"),
        ({"kind": "clock", "cron": "0 2 * * *", "zone": "Europe/Nowhere"}, "no time zone"),
        ({"kind": "clock", "cron": "0 2 * * *", "max_hours": 3}, "no longest spacing"),
        ({"kind": "data"}, "needs a number of answers"),
        ({"kind": "drift", "metric": "x"}, "needs a metric and its fall in points"),
        ({"kind": "data", "every": 5, "min_hours": 5, "max_hours": 4}, "shorter than the least"),
        ({"kind": "data", "every": 5, "quiet_from": "08:00"}, "both a beginning and an end"),
        ({"kind": "data", "every": 5, "quiet_from": "08:00", "quiet_to": "08:00"}, "whole day"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_with_a_sentence(values, said):
    with pytest.raises(ValidationError, match=said):
        Plan(**values)


# --------------------------------------------------------------------------------- whatever the plan is
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC"]
CRONS = ["0 2 * * *", "30 2 * * *", "*/15 * * * *", "0 */3 * * *", "5 1-3 * * MON-FRI", "59 23 L * *"]
clocks = st.times().map(lambda t: t.replace(second=0, microsecond=0))
around_changes = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from(
        [utc(3, 8, 0), utc(3, 29, 0), utc(4, 4, 0), utc(10, 3, 0), utc(10, 25, 0), utc(11, 1, 0)]
    ),
    st.integers(-2000, 2000),
)


@st.composite
def plans(draw):
    quiet = draw(st.booleans())
    begin, end = (draw(clocks), draw(clocks)) if quiet else (None, None)
    assume(not quiet or begin != end)
    return Plan(
        kind="clock",
        cron=draw(st.sampled_from(CRONS)),
        zone=draw(st.sampled_from(ZONES)),
        min_hours=draw(st.sampled_from([0.0, 0.5, 7.0, 30.0])),
        quiet_from=begin,
        quiet_to=end,
    )


@settings(max_examples=60, deadline=None)
@given(plans(), around_changes, st.integers(0, 4000))
@example(Plan(kind="clock", cron="30 2 * * *", zone=BERLIN), utc(10, 25, 1, 16), 0)
def test_no_start_in_quiet_hours_or_too_soon_and_none_is_lost(plan, now, minutes):
    """Looked at each time it says: one start per occasion, spaced, not in quiet hours, none left behind."""
    since, fired, starts = now - timedelta(minutes=minutes), None, []
    for _ in range(12):
        found = decide(plan, Facts(now=now, since=since, fired_at=fired, firings=len(starts)))
        if isinstance(found, Due):
            assert not in_quiet_hours(plan, now)
            assert fired is None or now - fired >= timedelta(hours=plan.min_hours)
            starts.append(found.key)
            since = fired = now
            again = decide(plan, Facts(now=now, since=since, fired_at=fired, firings=len(starts)))
            assert isinstance(again, NotYet), "the same occasion came due twice"
        else:
            assert found.at > now
            assert not in_quiet_hours(plan, found.at)
            assert fired is None or found.at - fired >= timedelta(hours=plan.min_hours)
            now = found.at
    assert len(starts) == len(set(starts)) >= 3, "what was due was lost"


@settings(max_examples=60, deadline=None)
@given(plans(), around_changes, st.integers(1, 5000))
def test_the_newest_occurrence_found_backwards_is_the_last_found_forwards(plan, begin, minutes):
    end = begin + timedelta(minutes=minutes)
    forwards = []
    for at in occurrences(plan, begin):
        if at > end:
            break
        forwards.append(at)
    assert forwards == sorted(set(forwards))
    last = occurrence_before(plan, end)
    assert last is not None
    assert (last if last > begin else None) == (forwards[-1] if forwards else None)


@settings(max_examples=100, deadline=None)
@given(plans(), around_changes)
def test_quiet_hours_end_when_they_end(plan, at):
    end = quiet_end(plan, at)
    assert not in_quiet_hours(plan, end)
    assert timedelta(0) <= end - at < timedelta(hours=26)
    if end > at:
        assert end.astimezone(ZoneInfo(plan.zone)).time() >= plan.quiet_to
