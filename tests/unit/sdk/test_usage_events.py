"""What the SDK makes of an event before it is sent (SDK-1, EVT-1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from candela._requests import usage_event


@pytest.mark.spec("SDK-1", "EVT-1")
def test_timestamp_without_a_time_zone__is_refused() -> None:
    naive = datetime(2026, 4, 1, 15, tzinfo=UTC).replace(tzinfo=None)

    with pytest.raises(ValueError, match="give the timestamp a time zone"):
        usage_event("call", customer_id="cus_1", timestamp=naive)


@pytest.mark.spec("SDK-1", "EVT-1")
def test_timestamp_in_any_time_zone__is_the_same_instant() -> None:
    in_tokyo = datetime(2026, 4, 2, 0, tzinfo=timezone(timedelta(hours=9)))

    event = usage_event("call", customer_id="cus_1", timestamp=in_tokyo)

    assert event.timestamp.ToDatetime(UTC) == datetime(2026, 4, 1, 15, tzinfo=UTC)


@pytest.mark.spec("SDK-1", "EVT-1")
def test_decimal_property__keeps_its_digits() -> None:
    event = usage_event(
        "call",
        customer_id="cus_1",
        properties={"cost": Decimal("0.100000000001"), "tier": 'a "b"', "cached": True, "tries": 2},
    )

    assert json.loads(event.properties_json, parse_float=Decimal) == {
        "cost": Decimal("0.100000000001"),
        "tier": 'a "b"',
        "cached": True,
        "tries": 2,
    }
