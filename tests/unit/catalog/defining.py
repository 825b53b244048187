"""What tests of definitions share: a price, as the contract writes it, that is all well, and how it is spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from candela.catalog.v1 import plan_pb2, price_pb2, price_terms_pb2
from candela.type.v1 import money_pb2

from candela_server.catalog.price_wire import price_from_proto
from candela_server.kernel.errors import InvalidInput

Terms = price_terms_pb2
ONCE, REPEATING, FOREVER = (
    Terms.DISCOUNT_DURATION_ONCE,
    Terms.DISCOUNT_DURATION_REPEATING,
    Terms.DISCOUNT_DURATION_FOREVER,
)
# Where each kind stands in `a_price`.
FIXED, USAGE, PER_UNIT = 0, 1, 2


def usd(amount: str, currency: str = "USD") -> money_pb2.Money:
    """An amount, of dollars unless said otherwise."""
    return money_pb2.Money(amount=amount, currency=currency)


def flat(amount: str) -> Terms.ChargeModel:
    """So much a unit."""
    return Terms.ChargeModel(flat=Terms.FlatCharge(unit_price=usd(amount)))


def percentage(percent: str, fee: str | None = None) -> Terms.ChargeModel:
    """A share of what is used, and a fee for each event if there is one."""
    return Terms.ChargeModel(
        percentage=Terms.PercentageCharge(
            percent=percent, fee_per_event=None if fee is None else usd(fee)
        )
    )


def a_price() -> plan_pb2.NewPrice:
    """A fee, usage and seats, all well."""
    return plan_pb2.NewPrice(
        currency="USD",
        components=[
            price_pb2.PriceComponent(
                name="Fee",
                kind=price_pb2.COMPONENT_KIND_FIXED,
                recurrence_rule="FREQ=YEARLY",
                charge=flat("500"),
            ),
            price_pb2.PriceComponent(
                name="Calls",
                kind=price_pb2.COMPONENT_KIND_USAGE,
                recurrence_rule="FREQ=MONTHLY",
                metric="calls",
                charge=flat("0.01"),
            ),
            price_pb2.PriceComponent(
                name="Seat",
                kind=price_pb2.COMPONENT_KIND_PER_UNIT,
                recurrence_rule="FREQ=MONTHLY",
                charge=flat("30"),
            ),
        ],
    )


def fields_of(caught: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    """The paths of the fields that were refused."""
    return [violation.field for violation in caught.value.violations]


Spoil: TypeAlias = Callable[[plan_pb2.NewPrice], object]
Case: TypeAlias = tuple[str, Spoil, str]
"""A name, how a price is spoilt, and the field that it is refused by."""


def refused_fields(spoil: Spoil) -> list[str]:
    """By which fields a price is refused that was well before it was spoilt."""
    new = a_price()
    spoil(new)
    with pytest.raises(InvalidInput) as caught:
        price_from_proto(new)
    return fields_of(caught)
