"""Discounts, time rules and commitments that could never be billed are refused by their fields (DSL)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.catalog.price_wire import price_from_proto
from candela_server.kernel.errors import InvalidInput, Reason

from tests.unit.catalog.defining import (
    FIXED,
    ONCE,
    REPEATING,
    Case,
    Terms,
    a_price,
    flat,
    percentage,
    refused_fields,
    usd,
)


def at(year: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(year, 6, 1, tzinfo=UTC))
    return stamp


DISCOUNT_CASES: list[Case] = [
    ("nothing off", lambda p: p.discounts.add(duration=ONCE), "discounts[0].amount"),
    ("0 percent", lambda p: p.discounts.add(duration=ONCE, percent="0"), "discounts[0].percent"),
    (
        "more than 100 percent",
        lambda p: p.discounts.add(duration=ONCE, percent="100.000000000001"),
        "discounts[0].percent",
    ),
    (
        "negative amount off",
        lambda p: p.discounts.add(duration=ONCE, amount_off=usd("-5")),
        "discounts[0].amount_off",
    ),
    (
        "amount of 0 off",
        lambda p: p.discounts.add(duration=ONCE, amount_off=usd("0")),
        "discounts[0].amount_off",
    ),
    (
        "amount off in other money",
        lambda p: p.discounts.add(duration=ONCE, amount_off=usd("5", "EUR")),
        "discounts[0].amount_off",
    ),
    (
        "no duration",
        lambda p: p.components[FIXED].discounts.add(percent="10"),
        "components[0].discounts[0].duration",
    ),
    (
        "repeating how often",
        lambda p: p.components[FIXED].discounts.add(percent="10", duration=REPEATING),
        "components[0].discounts[0].period_count",
    ),
    (
        "once for three periods",
        lambda p: p.components[FIXED].discounts.add(percent="10", duration=ONCE, period_count=3),
        "components[0].discounts[0].period_count",
    ),
    (
        "stack on 100 percent",
        lambda p: (
            p.discounts.add(percent="100", duration=REPEATING, period_count=3),
            p.discounts.add(percent="10", duration=ONCE),
        ),
        "discounts[1]",
    ),
]
TIME_RULE_CASES: list[Case] = [
    (
        "no beginning",
        lambda p: p.components[FIXED].time_rules.add(stop=True),
        "components[0].time_rules[0].from",
    ),
    (
        "no change",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=1),
        "components[0].time_rules[0].change",
    ),
    (
        "after 0 periods",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=0, stop=True),
        "components[0].time_rules[0].after_period_count",
    ),
    (
        "stop that is false",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=1, stop=False),
        "components[0].time_rules[0].stop",
    ),
    (
        "charge in other money",
        lambda p: p.components[FIXED].time_rules.add(
            after_period_count=1,
            charge=Terms.ChargeModel(flat=Terms.FlatCharge(unit_price=usd("1", "EUR"))),
        ),
        "components[0].time_rules[0].charge.flat.unit_price",
    ),
    (
        "charge of another kind",
        lambda p: p.components[FIXED].time_rules.add(after_period_count=1, charge=percentage("1")),
        "components[0].time_rules[0].charge",
    ),
    (
        "two from the same period",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=3, charge=flat("1")),
            p.components[FIXED].time_rules.add(after_period_count=3, charge=flat("2")),
        ),
        "components[0].time_rules[1].after_period_count",
    ),
    (
        "two out of order",
        lambda p: (
            p.components[FIXED].time_rules.add(at=at(2028), charge=flat("1")),
            p.components[FIXED].time_rules.add(at=at(2027), charge=flat("2")),
        ),
        "components[0].time_rules[1].at",
    ),
    (
        "dates among counts",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=3, charge=flat("1")),
            p.components[FIXED].time_rules.add(at=at(2027), charge=flat("2")),
        ),
        "components[0].time_rules[1]",
    ),
    (
        "start after the charge began",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=1, charge=flat("1")),
            p.components[FIXED].time_rules.add(after_period_count=2, start=True),
        ),
        "components[0].time_rules[1].start",
    ),
    (
        "change after the end",
        lambda p: (
            p.components[FIXED].time_rules.add(after_period_count=1, stop=True),
            p.components[FIXED].time_rules.add(after_period_count=2, charge=flat("1")),
        ),
        "components[0].time_rules[1]",
    ),
    (
        "start that never comes",
        lambda p: p.components[FIXED].time_rules.add(at=at(2300), start=True),
        "components[0].time_rules[0].at",
    ),
]
COMMITMENT_CASES: list[Case] = [
    (
        "negative commitment",
        lambda p: p.minimum_commitment.CopyFrom(
            Terms.MinimumCommitment(amount=usd("-1"), recurrence_rule="FREQ=YEARLY")
        ),
        "minimum_commitment.amount",
    ),
    (
        "commitment of 0",
        lambda p: p.minimum_commitment.CopyFrom(
            Terms.MinimumCommitment(amount=usd("0"), recurrence_rule="FREQ=YEARLY")
        ),
        "minimum_commitment.amount",
    ),
    (
        "commitment in other money",
        lambda p: p.minimum_commitment.CopyFrom(
            Terms.MinimumCommitment(amount=usd("1", "EUR"), recurrence_rule="FREQ=YEARLY")
        ),
        "minimum_commitment.amount",
    ),
    (
        "commitment without a period",
        lambda p: p.minimum_commitment.CopyFrom(Terms.MinimumCommitment(amount=usd("1"))),
        "minimum_commitment.recurrence_rule",
    ),
]


@pytest.mark.spec("DSL-3", "DSL-4", "DSL-5", "DSL-10")
@pytest.mark.parametrize(
    "case", DISCOUNT_CASES + TIME_RULE_CASES + COMMITMENT_CASES, ids=lambda case: case[0]
)
def test_terms_that_could_not_be_billed__are_refused_by_their_field_alone(case: Case) -> None:
    _, spoil, field = case

    assert refused_fields(spoil) == [field]


@pytest.mark.spec("DSL-4", "DSL-10")
def test_other_currency_anywhere_in_a_price__has_a_reason_of_its_own() -> None:
    new = a_price()
    new.discounts.add(duration=ONCE, amount_off=usd("5", "EUR"))

    with pytest.raises(InvalidInput) as caught:
        price_from_proto(new)

    assert caught.value.reason is Reason.CURRENCY_MISMATCH
