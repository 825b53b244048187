"""Which invoice bears what is given back, in which order, as docs/giving-back.md says it (SUB-6, EVT-9)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.model import (
    BilledLine,
    Invoice,
    InvoiceId,
    InvoiceLine,
    InvoiceStatus,
    LineId,
    LineKind,
)
from candela_server.billing.rules.give_back import Owed, shares
from candela_server.subscription.model import SubscriptionId

from tests.helpers.invoices import invoice, line

D = Decimal
FINALIZED, PAID, WRITTEN_OFF = (
    InvoiceStatus.FINALIZED,
    InvoiceStatus.PAID,
    InvoiceStatus.UNCOLLECTIBLE,
)


def named(name: str, *lines: InvoiceLine, status: InvoiceStatus = FINALIZED) -> Invoice:
    return replace(invoice(*lines, status=status), id=InvoiceId(name))


def days_back(name: str, amount: str) -> InvoiceLine:
    return replace(line(name, amount), kind=LineKind.PRORATION)


def owed(amount: str, *own: str) -> Owed:
    ids = [LineId(f"line_{name}") for name in own]
    return Owed(of=ids[0], own=frozenset(ids), amount=D(amount), memo="")


def borne(
    invoices: list[Invoice], back: list[Owed], credited: dict[str, str] | None = None
) -> list[tuple[str, dict[str, str]]]:
    """What is taken off which invoice, by line; the invoices are given oldest first."""
    before = {LineId(f"line_{name}"): D(amount) for name, amount in (credited or {}).items()}
    found = shares(
        [
            BilledLine(
                subscription_id=SubscriptionId("sub_1"),
                invoice_id=one.id,
                is_draft=False,
                line=each,
            )
            for one in invoices
            for each in one.lines
        ],
        back,
        {one.id: one for one in invoices},
        {one.id: before for one in invoices},
    )
    return [
        (
            share.invoice_id,
            {
                line_id.removeprefix("line_"): f"{money.amount:.2f}"
                for line_id, money in share.amounts.items()
            },
        )
        for share in found
    ]


@pytest.mark.spec("SUB-6", "EVT-9")
def test_several_invoices_charged_for_it__the_latest_bears_it_first() -> None:
    first, second = named("A", line("a", "30"), status=PAID), named("B", line("b", "20"))

    assert borne([first, second], [owed("15", "a", "b")]) == [("B", {"b": "15.00"})]
    assert borne([first, second], [owed("45", "a", "b")]) == [
        ("B", {"b": "20.00"}),
        ("A", {"a": "25.00"}),
    ]


@pytest.mark.spec("SUB-6", "EVT-9")
def test_charge_paid_with_what_came_back_beside_it__is_borne_by_what_that_was_charged_on() -> None:
    """B charged 1,000.00 for calls and gave 1,000.00 of A's days back: the calls were paid for with days."""
    first = named("A", line("year", "1200"), status=PAID)
    second = named("B", line("calls", "1000"), days_back("days", "-1000"), status=PAID)

    assert borne([first, second], [owed("400", "calls")]) == [("A", {"year": "400.00"})]
    assert borne([first], [owed("400", "calls")]) == []


@pytest.mark.spec("SUB-6", "DSL-10", "EVT-9")
def test_charge_paid_with_a_correction_beside_it__is_borne_by_what_was_corrected() -> None:
    """B charged a fee of 40.00 and gave back 15.00 that A had charged too much to make up for a commitment."""
    first = named("A", line("made-up", "100"), status=PAID)
    correction = replace(line("correction", "-15"), kind=LineKind.ADJUSTMENT)
    second = named("B", line("fee", "40"), correction, status=PAID)

    assert borne([first, second], [owed("40", "fee")]) == [
        ("B", {"fee": "25.00"}),
        ("A", {"made-up": "15.00"}),
    ]


@pytest.mark.spec("INV-6")
def test_what_is_credited_or_written_off__bears_no_more() -> None:
    first, second = named("A", line("a", "30")), named("B", line("b", "20"), status=WRITTEN_OFF)

    assert borne([first, second], [owed("45", "a", "b")], {"a": "25"}) == [("A", {"a": "5.00"})]
    assert borne([second], [owed("5", "b")]) == []


@pytest.mark.spec("INV-6", "INV-8")
@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=4),
    st.lists(st.integers(1, 900), min_size=1, max_size=4),
)
def test_whatever_is_owed__no_line_bears_more_than_it_charged_and_nothing_comes_back_twice(
    charged: list[int], wanted: list[int]
) -> None:
    names = [f"l{number}" for number in range(len(charged))]
    invoices = [
        named(f"I{name}", line(name, str(amount)))
        for name, amount in zip(names, charged, strict=True)
    ]
    taken: dict[str, Decimal] = {}
    for _, amounts in borne(invoices, [owed(str(one), *names) for one in wanted]):
        for name, amount in amounts.items():
            taken[name] = taken.get(name, D(0)) + D(amount)

    assert all(taken.get(name, D(0)) <= amount for name, amount in zip(names, charged, strict=True))
    assert sum(taken.values()) == min(sum(charged), sum(wanted))
