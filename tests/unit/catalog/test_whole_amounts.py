"""Nobody can pay half a yen: what is charged as it stands is whole, what is multiplied may be finer (DSL-3, INV-8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from candela.catalog.v1 import plan_pb2, price_pb2
from candela.catalog.v1 import price_terms_pb2 as terms
from candela.type.v1 import money_pb2

from candela_server.catalog.price_wire import price_from_proto, swapped_in_from_proto
from candela_server.kernel.errors import InvalidInput

FINEST = {"JPY": "1", "USD": "0.01", "KWD": "0.001"}
TOO_FINE = {"JPY": "0.5", "USD": "0.015", "KWD": "0.0005"}

Build = Callable[[money_pb2.Money], plan_pb2.NewPrice]


def component(kind: price_pb2.ComponentKind, charge: terms.ChargeModel) -> price_pb2.PriceComponent:
    return price_pb2.PriceComponent(
        name="It",
        kind=kind,
        recurrence_rule="FREQ=MONTHLY",
        metric="calls" if kind == price_pb2.COMPONENT_KIND_USAGE else "",
        charge=charge,
    )


def price_of(amount: money_pb2.Money, *components: price_pb2.PriceComponent) -> plan_pb2.NewPrice:
    return plan_pb2.NewPrice(currency=amount.currency, components=components)


def flat(amount: money_pb2.Money) -> terms.ChargeModel:
    return terms.ChargeModel(flat=terms.FlatCharge(unit_price=amount))


def fee(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    return price_of(amount, component(price_pb2.COMPONENT_KIND_FIXED, flat(amount)))


def usage(
    amount: money_pb2.Money, kind: price_pb2.ComponentKind = price_pb2.COMPONENT_KIND_USAGE
) -> plan_pb2.NewPrice:
    return price_of(amount, component(kind, flat(amount)))


def with_charge(**more: object) -> Build:
    def build(amount: money_pb2.Money) -> plan_pb2.NewPrice:
        new = usage(money_pb2.Money(currency=amount.currency, amount="0.000000000001"))
        for name in more:
            getattr(new.components[0].charge, name).CopyFrom(amount)
        return new

    return build


def tiered(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    fine = money_pb2.Money(currency=amount.currency, amount="0.000000000001")
    steps = [terms.Tier(up_to="10", unit_price=fine), terms.Tier(unit_price=fine, flat_fee=amount)]
    charge = terms.ChargeModel(graduated=terms.GraduatedCharge(tiers=steps))
    return price_of(amount, component(price_pb2.COMPONENT_KIND_USAGE, charge))


def discounted(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    new = usage(amount)
    new.discounts.add(duration=terms.DISCOUNT_DURATION_ONCE, amount_off=amount)
    return new


def component_discounted(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    new = usage(amount)
    new.components[0].discounts.add(duration=terms.DISCOUNT_DURATION_ONCE, amount_off=amount)
    return new


def committed(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    new = usage(amount)
    new.minimum_commitment.CopyFrom(
        terms.MinimumCommitment(amount=amount, recurrence_rule="FREQ=YEARLY")
    )
    return new


def later_fee(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    new = fee(money_pb2.Money(currency=amount.currency, amount="7"))
    new.components[0].time_rules.add(after_period_count=1, charge=flat(amount))
    return new


CHARGED = [
    pytest.param(fee, "components[0].charge.flat.unit_price", id="fixed fee"),
    pytest.param(later_fee, "components[0].time_rules[0].charge.flat.unit_price", id="later fee"),
    pytest.param(with_charge(minimum=1), "components[0].charge.minimum", id="minimum"),
    pytest.param(with_charge(maximum=1), "components[0].charge.maximum", id="maximum"),
    pytest.param(tiered, "components[0].charge.graduated.tiers[1].flat_fee", id="flat fee"),
    pytest.param(discounted, "discounts[0].amount_off", id="off the price"),
    pytest.param(component_discounted, "components[0].discounts[0].amount_off", id="off a line"),
    pytest.param(committed, "minimum_commitment.amount", id="commitment"),
]


@pytest.mark.spec("DSL-3", "INV-8", "DSL-4", "DSL-10")
@pytest.mark.parametrize("currency", FINEST)
@pytest.mark.parametrize(("build", "field"), CHARGED)
def test_amount_that_is_charged_as_it_stands__is_whole_minor_units_or_refused_by_its_field(
    build: Build, field: str, currency: str
) -> None:
    price_from_proto(build(money_pb2.Money(currency=currency, amount=FINEST[currency])))
    # Zeros at the end are no decimals.
    price_from_proto(build(money_pb2.Money(currency=currency, amount="7.000000")))
    with pytest.raises(InvalidInput) as caught:
        price_from_proto(build(money_pb2.Money(currency=currency, amount=TOO_FINE[currency])))

    [violation] = caught.value.violations
    assert violation.field == field
    assert TOO_FINE[currency] in violation.description
    assert currency in violation.description


def package(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    block = terms.PackageCharge(package_size="1000", package_price=amount)
    charge = terms.ChargeModel(package=block)
    return price_of(amount, component(price_pb2.COMPONENT_KIND_USAGE, charge))


def per_event(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    share = terms.PercentageCharge(percent="1", fee_per_event=amount)
    charge = terms.ChargeModel(percentage=share)
    return price_of(amount, component(price_pb2.COMPONENT_KIND_USAGE, charge))


def seats(amount: money_pb2.Money) -> plan_pb2.NewPrice:
    return usage(amount, price_pb2.COMPONENT_KIND_PER_UNIT)


@pytest.mark.spec("DSL-3")
@pytest.mark.parametrize("build", [usage, seats, package, per_event])
def test_price_of_a_unit_a_package_or_an_event__may_have_twelve_places(build: Build) -> None:
    price_from_proto(build(money_pb2.Money(currency="JPY", amount="0.000000000001")))
    with pytest.raises(InvalidInput):
        price_from_proto(build(money_pb2.Money(currency="JPY", amount="0.0000000000001")))


@pytest.mark.spec("DSL-3", "SUB-5")
def test_component_that_comes_alone__is_held_to_the_same() -> None:
    [new] = fee(money_pb2.Money(currency="JPY", amount="100.5")).components
    with pytest.raises(InvalidInput) as caught:
        swapped_in_from_proto(new)
    assert [one.field for one in caught.value.violations] == ["charge.flat.unit_price"]
