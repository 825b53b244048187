"""What credit notes take back, and the tax that goes with it, as an accountant would count it (INV-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.credit_note import CreditNoteExceedsLineError, CreditNoteLine
from candela_server.billing.model import Invoice, LineId
from candela_server.billing.rules.credited import credit_lines, creditable
from candela_server.kernel.currency import minor_digits

from tests.helpers.invoices import invoice, line

D = Decimal


def by_line(lines: list[CreditNoteLine]) -> dict[str, tuple[Decimal, Decimal]]:
    return {one.invoice_line_id: (one.amount, one.tax_amount) for one in lines}


def note(
    of: Invoice,
    wanted: dict[str, str],
    credited: dict[str, str] | None = None,
    credited_tax: str = "0",
) -> dict[str, tuple[Decimal, Decimal]]:
    lines = credit_lines(
        of,
        {LineId(f"line_{name}"): D(amount) for name, amount in wanted.items()},
        {LineId(f"line_{name}"): D(amount) for name, amount in (credited or {}).items()},
        D(credited_tax),
    )
    return by_line(lines)


@pytest.mark.spec("INV-6")
def test_usage_that_credits_paid_for__is_not_credited_again() -> None:
    one = invoice(line("usage", "273.00"), line("credit", "-100.00", source="usage"))

    assert creditable(one) == {"line_usage": D("173.00")}  # 273 − 100


@pytest.mark.spec("INV-6")
def test_money_off_the_whole_invoice__lowers_every_line_in_proportion() -> None:
    one = invoice(line("a", "100.00"), line("b", "50.00"), line("off", "-10.00"))

    # 10.00 × 100/150 = 6.67 and 10.00 × 50/150 = 3.33
    assert creditable(one) == {"line_a": D("93.33"), "line_b": D("46.67")}


@pytest.mark.spec("INV-6")
def test_credit_larger_than_its_own_line__lowers_the_others() -> None:
    one = invoice(line("a", "10.00"), line("b", "50.00"), line("off", "-15.00", source="a"))

    assert creditable(one) == {"line_b": D("45.00")}  # 50 − (15 − 10)


@pytest.mark.spec("INV-6")
def test_half_of_a_line__gives_back_half_of_its_tax() -> None:
    one = invoice(line("a", "100.00"), tax_percent="19", tax_amount="19.00")

    assert note(one, {"a": "50.00"}) == {"line_a": (D("50.00"), D("9.50"))}  # 50.00 × 19 %


@pytest.mark.spec("INV-6")
def test_thirds_of_a_taxed_line__give_back_its_tax_exactly_the_last_one_the_rest() -> None:
    # 20 % of 0.99 is 0.198, invoiced as 0.20
    one = invoice(line("a", "0.99"), tax_percent="20", tax_amount="0.20")

    first = note(one, {"a": "0.33"})
    second = note(one, {"a": "0.33"}, {"a": "0.33"}, "0.07")
    third = note(one, {"a": "0.33"}, {"a": "0.66"}, "0.13")

    assert first == {"line_a": (D("0.33"), D("0.07"))}  # 0.20 × 0.33/0.99 = 0.0667 → 0.07
    assert second == {"line_a": (D("0.33"), D("0.06"))}  # 0.20 × 0.66/0.99 = 0.1333 → 0.13 − 0.07
    assert third == {"line_a": (D("0.33"), D("0.07"))}  # 0.20 − 0.13


@pytest.mark.spec("INV-6")
def test_nothing_named__takes_back_all_that_is_left() -> None:
    one = invoice(line("a", "100.00"), line("b", "50.00"), tax_percent="10", tax_amount="15.00")

    got = note(one, {}, {"a": "30.00"}, "3.00")

    # 15.00 − 3.00 = 12.00, by 70 : 50
    assert got == {"line_a": (D("70.00"), D("7.00")), "line_b": (D("50.00"), D("5.00"))}
    assert note(one, {}, {"a": "100.00", "b": "50.00"}, "15.00") == {}


@pytest.mark.spec("INV-6")
@pytest.mark.parametrize(
    ("wanted", "line_id", "remaining"),
    [
        ({"a": "70.01"}, "line_a", "70"),
        ({"b": "50.01"}, "line_b", "50"),
        ({"off": "1.00"}, "line_off", "0"),
    ],
)
def test_more_than_a_line_has_left__is_refused_with_what_it_has(
    wanted: dict[str, str], line_id: str, remaining: str
) -> None:
    one = invoice(line("a", "120.00"), line("off", "-20.00", source="a"), line("b", "50.00"))

    with pytest.raises(CreditNoteExceedsLineError) as refused:
        note(one, wanted, {"a": "30.00"})

    assert refused.value.metadata == {"line_id": line_id, "remaining": remaining}


@pytest.mark.spec("INV-6")
@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD"])
@given(data=st.data())
def test_however_an_invoice_is_credited__it_gives_back_exactly_its_total(
    currency: str, data: st.DataObject
) -> None:
    unit = D(1).scaleb(-minor_digits(currency))
    amounts = data.draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=5))
    subtotal = sum(amounts)
    off = data.draw(st.integers(0, subtotal - 1))
    lines = [line(str(index), str(value * unit)) for index, value in enumerate(amounts)]
    if off:
        lines.append(line("off", str(-off * unit)))
    tax = data.draw(st.integers(0, subtotal - off))
    one = invoice(*lines, currency=currency, tax_amount=str(tax * unit))
    credited: dict[LineId, Decimal] = {}
    credited_tax = D(0)
    for _ in range(data.draw(st.integers(0, 6))):
        left = {
            line_id: amount - credited.get(line_id, D(0))
            for line_id, amount in creditable(one).items()
        }
        wanted = {
            line_id: data.draw(st.integers(1, int(rest / unit))) * unit
            for line_id, rest in left.items()
            if rest and data.draw(st.booleans())
        }
        if not wanted:
            continue
        for made in credit_lines(one, wanted, credited, credited_tax):
            assert made.amount > 0
            assert made.tax_amount >= 0
            assert made.tax_amount % unit == 0
            credited[made.invoice_line_id] = credited.get(made.invoice_line_id, D(0)) + made.amount
            credited_tax += made.tax_amount
        # At the original rate: never off by more than half a unit, over all notes together.
        share = one.tax_amount * sum(credited.values()) / one.subtotal
        assert abs(credited_tax - share) <= unit / 2
    rest = credit_lines(one, {}, credited, credited_tax)

    assert sum(credited.values()) + sum(made.amount for made in rest) == one.subtotal
    assert credited_tax + sum(made.tax_amount for made in rest) == one.tax_amount
