"""Each line of an invoice is recomputed from nothing but the text of its PDF, and by its calculation (INV-1, DSL-3)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from candela_server.billing.line_json import calculation_from_json, calculation_text
from candela_server.billing.model import InvoiceLine
from candela_server.billing.rules.rate_invoice import InvoiceToRate, rate
from candela_server.catalog.price import Charge, ComponentKind, Discount, Price
from candela_server.kernel.interval import Interval

from tests.helpers.builders import EPOCH, offer
from tests.helpers.builders import price as price_of
from tests.helpers.cutting import CutPeriod, rate_part
from tests.helpers.prices import discounts, prices
from tests.helpers.recomputing import (
    MODELS,
    calls,
    check_by_fields,
    check_by_text,
    late_of,
    period_of,
)

# A document takes some tens of milliseconds: to shrink a failure would take minutes.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
QUANTITIES = st.decimals(min_value=0, max_value=10**5, places=2)


def april(day: int) -> datetime:
    return datetime(2026, 4, 1, tzinfo=UTC) + timedelta(days=day - 1)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """Any charge of usage, with plain numbers."""
    bounds = st.none() | st.decimals(min_value=1, max_value=10**4, places=2)
    least, most = draw(bounds), draw(bounds)
    if least is not None and most is not None:
        least, most = min(least, most), max(least, most)
    return Charge(
        model=draw(st.sampled_from(MODELS)),
        free_units=draw(QUANTITIES),
        minimum=least,
        maximum=most,
    )


@pytest.mark.spec("INV-1", "CRD-7", "DSL-4")
@settings(max_examples=150, phases=NO_SHRINKING)
@given(charges(), QUANTITIES, QUANTITIES, st.booleans(), st.lists(discounts(), max_size=2))
def test_law_lines_of_plain_numbers__are_recomputed_from_the_text_of_their_pdf(
    charge: Charge, used: Decimal, covered: Decimal, visible: bool, off: list[Discount]
) -> None:
    price = price_of(replace(calls(charge), discounts=tuple(off)))
    billed = period_of(price, used, covered=covered, visible=visible)

    lines = rate(
        InvoiceToRate(offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[billed])
    )

    for line in lines:
        check_by_fields(line)
    check_by_text(lines)


@pytest.mark.spec("INV-1", "INV-8", "DSL-3", "DSL-4")
@settings(max_examples=150, phases=NO_SHRINKING)
@given(prices(), st.integers(0, 40), QUANTITIES, QUANTITIES, st.booleans())
def test_law_lines_of_any_price__are_recomputed_from_the_text_of_their_pdf(
    price: Price, number: int, quantity: Decimal, covered: Decimal, visible: bool
) -> None:
    price = replace(price, components=price.components[:1], minimum_commitment=None)
    billed = period_of(price, quantity, covered=covered, visible=visible, number=number)
    lines = rate(
        InvoiceToRate(offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[billed])
    )

    for line in lines:
        check_by_fields(line)
    check_by_text(lines)


@pytest.mark.spec("INV-1", "SUB-6")
@settings(max_examples=80, phases=NO_SHRINKING)
@given(charges(), st.lists(st.tuples(st.integers(1, 29), QUANTITIES), min_size=2, max_size=4))
def test_law_parts_of_a_period__are_recomputed_from_the_text_of_their_pdf(
    charge: Charge, parts: list[tuple[int, Decimal]]
) -> None:
    one = calls(charge)
    cut = CutPeriod(price_of(one), april(1))
    days = sorted({1, *(day for day, _ in parts)})
    made: list[InvoiceLine] = []
    for (start, end), (_, used) in zip(pairwise([*days, 31]), parts, strict=False):
        span = Interval(april(start), april(end))
        made += rate_part(
            cut.price, one, cut, span, used=used, events=Decimal(3), earlier=tuple(made)
        )

    for line in made:
        check_by_fields(line)
    check_by_text(made)


@pytest.mark.spec("INV-1", "EVT-9")
@settings(max_examples=150, phases=NO_SHRINKING)
@given(prices(), QUANTITIES, QUANTITIES, QUANTITIES)
def test_law_adjustments__are_recomputed_from_the_text_of_their_pdf(
    price: Price, before: Decimal, after: Decimal, covered: Decimal
) -> None:
    usage = [one for one in price.components if one.kind is ComponentKind.USAGE]
    if not usage:
        return
    price = replace(price, components=tuple(usage[:1]), minimum_commitment=None)
    late = late_of(price, before, after, covered)

    if late is not None:
        check_by_fields(late)
        check_by_text([late])


@pytest.mark.spec("INV-1")
@given(prices(), QUANTITIES, QUANTITIES)
def test_law_calculation__is_stored_exactly(
    price: Price, quantity: Decimal, covered: Decimal
) -> None:
    for line in rate(
        InvoiceToRate(
            offer=offer(price),
            anchor_at=EPOCH,
            time_zone="UTC",
            periods=[period_of(price, quantity, covered=covered)],
        )
    ):
        stored = calculation_text(line.calculation)
        assert stored is not None
        assert calculation_from_json(json.loads(stored)) == line.calculation
