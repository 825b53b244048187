"""Which rules are taken, how they are written down, and why the others are refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from candela_server.kernel.recurrence import Recurrence
from candela_server.kernel.recurrence_text import (
    MAX_RULE_LENGTH,
    Frequency,
    RecurrenceError,
    time_zone_in,
)


@pytest.mark.spec("DSL-2", "DSL-5")
@pytest.mark.parametrize(
    ("rule", "want", "zone"),
    [
        pytest.param("FREQ=MONTHLY", "FREQ=MONTHLY", "UTC", id="plain"),
        pytest.param("freq=monthly;interval=1", "FREQ=MONTHLY", "UTC", id="lower case"),
        pytest.param("INTERVAL=3;FREQ=MONTHLY", "FREQ=MONTHLY;INTERVAL=3", "UTC", id="any order"),
        pytest.param(" RRULE:FREQ=DAILY\n", "FREQ=DAILY", "UTC", id="with its property name"),
        pytest.param(
            "FREQ=WEEKLY;BYDAY=mo", "FREQ=WEEKLY;BYDAY=MO", "UTC", id="one weekday, lower case"
        ),
        pytest.param(
            "FREQ=YEARLY;BYMONTHDAY=29;BYMONTH=2",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "UTC",
            id="29 February",
        ),
        pytest.param(
            "FREQ=MONTHLY;TZID=Europe/Berlin", "FREQ=MONTHLY", "Europe/Berlin", id="zone as a part"
        ),
        pytest.param(
            "DTSTART;TZID=America/New_York:20260131T100000\nRRULE:FREQ=MONTHLY",
            "FREQ=MONTHLY",
            "America/New_York",
            id="zone in a DTSTART line",
        ),
        pytest.param(
            "DTSTART;TZID=Asia/Kolkata:20260131T100000\r\nFREQ=YEARLY",
            "FREQ=YEARLY",
            "Asia/Kolkata",
            id="DTSTART with a carriage return",
        ),
    ],
)
def test_rule_that_can_be_honoured__has_one_canonical_spelling(
    rule: str, want: str, zone: str
) -> None:
    got = Recurrence.parse(rule, "UTC")

    assert (str(got), got.time_zone) == (want, zone)
    assert (time_zone_in(rule) or "UTC") == zone


@pytest.mark.spec("DSL-5")
@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("", "NAME=VALUE"),
        ("MONTHLY", "NAME=VALUE"),
        ("FREQ=", "NAME=VALUE"),
        ("INTERVAL=2", "must say how often"),
        ("FREQ=MONTHLY;", "NAME=VALUE"),
        ("FREQ=MONTHLY; INTERVAL=2", "not a part"),
        ("FREQ=FORTNIGHTLY", "not DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=SECONDLY", "more than daily"),
        ("FREQ=MINUTELY;INTERVAL=1440", "more than daily"),
        ("FREQ=HOURLY;INTERVAL=24", "more than daily"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=1001", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=٣", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL must be"),
        ("FREQ=MONTHLY;INTERVAL=121", "1 to 120"),
        ("FREQ=YEARLY;INTERVAL=11", "1 to 10"),
        ("FREQ=MONTHLY;FREQ=DAILY", "given twice"),
        ("FREQ=MONTHLY;COUNT=12", "no end of its own"),
        ("FREQ=MONTHLY;UNTIL=20270101T000000Z", "no end of its own"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "one day"),
        ("FREQ=MONTHLY;BYSETPOS=-1;BYMONTHDAY=28", "BYSETPOS"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "time of day"),
        ("FREQ=WEEKLY;BYDAY=MO,TU", "one weekday"),
        ("FREQ=WEEKLY;BYDAY=1MO", "one weekday"),
        ("FREQ=WEEKLY;WKST=SU", "Monday"),
        ("FREQ=MONTHLY;BYDAY=1MO", "one weekday"),
        ("FREQ=MONTHLY;BYDAY=MO", "FREQ=WEEKLY only"),
        ("FREQ=DAILY;BYMONTH=2", "FREQ=YEARLY only"),
        ("FREQ=DAILY;BYMONTHDAY=2", "MONTHLY or YEARLY"),
        ("FREQ=YEARLY;BYMONTHDAY=2", "recurs monthly"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "-1 only"),
        ("FREQ=YEARLY;BYMONTH=13", "1 to 12"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never has a day 30"),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31", "never has a day 31"),
        ("RRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY", "exceptions"),
        ("RRULE:FREQ=DAILY\nEXDATE:20260101T000000", "exceptions"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY", "one RRULE"),
        ("DTSTART:20260131T100000Z\nRRULE:FREQ=DAILY", "name a zone only"),
        ("DTSTART;TZID=Europe/Berlin:20260131T100000", "one RRULE"),
        (
            "DTSTART;TZID=Europe/Berlin:20260131T100000\nFREQ=DAILY;TZID=Europe/Paris",
            "two time zones",
        ),
        ("FREQ=DAILY;X-OWN=1", "not a part"),
        ("FREQ=DAILY;" + "X" * MAX_RULE_LENGTH, "at most 256"),
    ],
)
def test_rule_that_cannot_be_honoured__is_refused_with_the_reason(rule: str, why: str) -> None:
    with pytest.raises(RecurrenceError) as refused:
        Recurrence.parse(rule, "UTC")

    assert why in refused.value.reason
    assert refused.value.field == "recurrence_rule"


@pytest.mark.spec("DSL-5")
@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "+02:00", "../../etc/passwd", "/etc/localtime", "localtime", "utc"]
)
def test_text_that_is_no_zone__is_refused_as_the_zone(zone: str) -> None:
    with pytest.raises(RecurrenceError, match="IANA") as refused:
        Recurrence.parse("FREQ=MONTHLY", zone)

    assert refused.value.field == "time_zone"


@pytest.mark.spec("DSL-5")
@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from(
            ["FREQ=", "MONTHLY", "YEARLY", ";", "=", "BYDAY=MO", "INTERVAL=2", "\n", "DTSTART"]
        )
    ).map("".join)
)
@example("FREQ=DAILY;TZID=\x00")
@example("DTSTART;TZID=\ud800:20260101T000000\nFREQ=DAILY")
def test_any_text__parses_or_is_refused_but_never_fails_otherwise(text: str) -> None:
    with suppress(RecurrenceError):
        assert isinstance(Recurrence.parse(text, "UTC").frequency, Frequency)
