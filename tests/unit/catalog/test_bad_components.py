"""A price component that could never be billed is refused when it is defined, by its field (DSL, CAT-1)."""

from __future__ import annotations

import pytest
from candela.catalog.v1 import price_pb2

from candela_server.catalog.wire import create_plan_from_proto
from candela_server.kernel.errors import InvalidInput

from demo.team_plan import team_plan
from tests.unit.catalog.defining import (
    FIXED,
    FOREVER,
    PER_UNIT,
    USAGE,
    Case,
    Terms,
    a_price,
    fields_of,
    percentage,
    refused_fields,
    usd,
)


def tiers(*steps: tuple[str | None, str]) -> list[Terms.Tier]:
    return [Terms.Tier(up_to=up_to, unit_price=usd(price)) for up_to, price in steps]


COMPONENT_CASES: list[Case] = [
    (
        "hourly rule",
        lambda p: setattr(p.components[FIXED], "recurrence_rule", "FREQ=HOURLY"),
        "components[0].recurrence_rule",
    ),
    (
        "rule with an end",
        lambda p: setattr(p.components[USAGE], "recurrence_rule", "FREQ=MONTHLY;COUNT=3"),
        "components[1].recurrence_rule",
    ),
    (
        "zone that is none",
        lambda p: setattr(p.components[FIXED], "time_zone", "Europe/Nowhere"),
        "components[0].time_zone",
    ),
    (
        "two zones",
        lambda p: (
            setattr(p.components[FIXED], "recurrence_rule", "FREQ=YEARLY;TZID=Europe/Berlin"),
            setattr(p.components[FIXED], "time_zone", "America/New_York"),
        ),
        "components[0].time_zone",
    ),
    (
        "usage without metric",
        lambda p: p.components[USAGE].ClearField("metric"),
        "components[1].metric",
    ),
    (
        "seats with metric",
        lambda p: setattr(p.components[PER_UNIT], "metric", "calls"),
        "components[2].metric",
    ),
    (
        "usage in advance",
        lambda p: setattr(p.components[USAGE], "timing", price_pb2.BILLING_TIMING_IN_ADVANCE),
        "components[1].timing",
    ),
    (
        "fixed with tiers",
        lambda p: p.components[FIXED].charge.graduated.tiers.extend(tiers((None, "1"))),
        "components[0].charge",
    ),
    (
        "fixed with free units",
        lambda p: setattr(p.components[FIXED].charge, "free_units", "1"),
        "components[0].charge.free_units",
    ),
    (
        "no charge model",
        lambda p: p.components[USAGE].charge.ClearField("flat"),
        "components[1].charge.model",
    ),
    (
        "tiers that end",
        lambda p: p.components[USAGE].charge.volume.tiers.extend(tiers(("10", "1"))),
        "components[1].charge.volume.tiers",
    ),
    (
        "tiers that overlap",
        lambda p: p.components[USAGE].charge.graduated.tiers.extend(
            tiers(("10", "1"), ("5", "1"), (None, "1"))
        ),
        "components[1].charge.graduated.tiers",
    ),
    (
        "tier of 13 places",
        lambda p: p.components[USAGE].charge.graduated.tiers.extend(
            tiers(("10", "1"), (None, "0.0000000000001"))
        ),
        "components[1].charge.graduated.tiers[1].unit_price.amount",
    ),
    (
        "negative amount",
        lambda p: setattr(p.components[FIXED].charge.flat.unit_price, "amount", "-1"),
        "components[0].charge.flat.unit_price",
    ),
    (
        "minimum above maximum",
        lambda p: (
            p.components[USAGE].charge.minimum.CopyFrom(usd("10")),
            p.components[USAGE].charge.maximum.CopyFrom(usd("9.99")),
        ),
        "components[1].charge.maximum",
    ),
    (
        "percentage above 100",
        lambda p: p.components[USAGE].charge.CopyFrom(percentage("100.01")),
        "components[1].charge.percentage.percent",
    ),
    (
        "percentage below 0",
        lambda p: p.components[USAGE].charge.CopyFrom(percentage("-1")),
        "components[1].charge.percentage.percent",
    ),
    (
        "fixed percentage",
        lambda p: p.components[FIXED].charge.CopyFrom(percentage("1")),
        "components[0].charge",
    ),
    (
        "fee per event without events",
        lambda p: p.components[PER_UNIT].charge.CopyFrom(percentage("1", "0.30")),
        "components[2].charge.percentage.fee_per_event",
    ),
    (
        "seat terms of usage",
        lambda p: p.components[USAGE].seats.CopyFrom(price_pb2.SeatTerms(minimum_seats=1)),
        "components[1].seats",
    ),
]


@pytest.mark.spec("DSL-3", "DSL-4", "DSL-5", "DSL-10")
@pytest.mark.parametrize("case", COMPONENT_CASES, ids=lambda case: case[0])
def test_component_that_could_not_be_billed__is_refused_by_its_field_alone(case: Case) -> None:
    _, spoil, field = case

    assert refused_fields(spoil) == [field]


@pytest.mark.spec("CAT-1")
def test_several_wrong_fields__are_all_named_by_their_path_in_the_request() -> None:
    request = team_plan("team")
    request.prices.add().CopyFrom(a_price())
    request.prices[1].components[0].recurrence_rule = "FREQ=SECONDLY"
    request.prices[1].components[1].discounts.add(percent="200", duration=FOREVER)
    request.prices[1].minimum_commitment.amount.CopyFrom(usd("-1"))

    with pytest.raises(InvalidInput) as caught:
        create_plan_from_proto(request)

    assert set(fields_of(caught)) == {
        "prices[1].components[0].recurrence_rule",
        "prices[1].components[1].discounts[0].percent",
        "prices[1].minimum_commitment.amount",
        "prices[1].minimum_commitment.recurrence_rule",
    }
