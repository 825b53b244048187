"""Taxes as an accountant would count them: worked examples, and what holds for every invoice (TAX-1, TAX-2, INV-8)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.model import Invoice, LineId
from candela_server.billing.rules.credited import credit_lines, creditable
from candela_server.billing.rules.tax import tax_for
from candela_server.billing.rules.tax_amount import tax_by_line, taxed
from candela_server.billing.rules.vat_id import is_vat_id_of
from candela_server.billing.tax_settings import TaxMode, TaxSettings
from candela_server.kernel.currency import minor_digits

from tests.helpers.invoices import invoice, line
from tests.helpers.taxes import buyer, settings

D = Decimal
EXAMPLES = yaml.safe_load(
    (Path(__file__).parents[2] / "worked_examples" / "tax.yaml").read_text(encoding="utf-8")
)


def made(example: dict[str, Any]) -> Invoice:
    """The example's invoice, taxed."""
    said = example["set"]
    lines = [line(str(number), amount) for number, amount in enumerate(example["lines"])]
    return taxed(
        invoice(*lines, currency=example["currency"]),
        buyer(**{"place": "", **example["buyer"]}),
        settings(
            said["mode"],
            seller=said.get("seller", ""),
            percent=str(said["percent"]) if "percent" in said else None,
            rates={place: str(rate) for place, rate in said.get("rates", {}).items()},
            nexus=tuple(said.get("nexus", ())),
            inclusive=said.get("inclusive", False),
        ),
    )


@pytest.mark.spec("TAX-1", "TAX-2", "INV-8")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["name"])
def test_worked_example__comes_to_what_was_counted_by_hand(example: dict[str, Any]) -> None:
    got = made(example)
    percent, amount, reason = example["tax"]
    base, total = example["of"]

    assert (got.tax.percent, got.tax_amount, got.tax.reason) == (D(str(percent)), D(amount), reason)
    assert (got.tax_base, got.total, got.amount_due) == (D(base), D(total), D(total))
    if "parts" in example:
        parts = tax_by_line(got)
        assert [parts.get(one.id, D(0)) for one in got.lines] == [
            D(one) for one in example["parts"]
        ]


@pytest.mark.spec("TAX-2")
@pytest.mark.parametrize(
    ("country", "tax_id", "is_valid"),
    [
        ("DE", "DE136695976", True),
        ("DE", "de 136.695-976", True),
        ("DE", "136695976", False),  # without its country
        ("DE", "DE136695977", False),  # another check digit
        ("FR", "FR40303265045", True),
        ("DE", "FR40303265045", False),  # another country's
        ("GR", "EL094259216", True),
        ("GR", "GR094259216", True),
        ("AT", "ATU13585627", True),
        ("IE", "IE6433435F", True),
        ("NL", "NL004495445B01", True),
        ("DE", "", False),
        ("DE", "DE" + "9" * 48, False),
        ("DE", "DE１３６６９５９７６", False),  # noqa: RUF001 - digits of another script
        ("CH", "CHE107787577IVA", False),  # not of the Union
    ],
)
def test_vat_id__has_the_form_and_the_check_digits_of_its_country(
    country: str, tax_id: str, is_valid: bool
) -> None:
    assert is_vat_id_of(country, tax_id) is is_valid


@pytest.mark.spec("TAX-2")
def test_tax__says_whose_it_is() -> None:
    in_quebec = tax_for(
        buyer("CA-qc", business_name="Chandelle"),
        settings(rates={"CA": "5", "CA-QC": "14.975"}, seller="CA"),
    )
    in_texas = tax_for(
        buyer("US-Texas", business_name="Wax"),
        settings("default_rate", percent="6.25", nexus=("TX",), seller="US"),
    )

    assert (in_quebec.name, in_quebec.country, in_quebec.region) == ("VAT", "CA", "QC")
    assert (in_texas.percent, in_texas.country, in_texas.region) == (D("6.25"), "US", "TX")


@st.composite
def invoices(draw: st.DrawFn) -> Invoice:
    """Invoices of any currency, some of whose lines are offset in part or whole."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    unit = D(1).scaleb(-minor_digits(currency))
    asked = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
    off = draw(st.integers(0, sum(asked)))
    lines = [line(str(number), str(amount * unit)) for number, amount in enumerate(asked)]
    if off:
        lines.append(line("off", str(-off * unit)))
    return invoice(*lines, currency=currency)


_PERCENTS = st.decimals("0", "100", places=6)


@pytest.mark.spec("TAX-2", "INV-8")
@given(one=invoices(), percent=_PERCENTS, inclusive=st.booleans())
def test_any_invoice__is_the_sum_of_what_it_shows(
    one: Invoice, percent: Decimal, inclusive: bool
) -> None:
    unit = D(1).scaleb(-minor_digits(one.currency))
    got = taxed(
        one,
        buyer("DE", business_name="Kerze"),
        settings("default_rate", percent=str(percent), inclusive=inclusive),
    )

    lines = sum((each.amount for each in got.lines), D(0))
    assert got.total == got.tax_base + got.tax_amount
    assert got.total == (lines if inclusive else lines + got.tax_amount)
    assert got.tax_amount >= 0
    assert got.tax_amount % unit == 0
    # Rounded once: at most half a unit away from the exact share.
    assert abs(got.tax_amount * 100 - got.tax_base * percent) <= unit * 100
    parts = tax_by_line(got)
    assert sum(parts.values(), D(0)) == got.tax_amount
    assert all(part >= 0 for part in parts.values())


@pytest.mark.spec("TAX-2")
@given(
    one=invoices(),
    percent=_PERCENTS,
    place=st.sampled_from(["", "DE", "FR", "US-CA", "US-NY", "US", "CH"]),
    tax_id=st.sampled_from([None, "DE136695976", "FR40303265045", "nonsense"]),
)
def test_price_with_tax__is_what_is_asked_for_whatever_the_rate(
    one: Invoice, percent: Decimal, place: str, tax_id: str | None
) -> None:
    got = taxed(
        one,
        buyer(place, tax_id=tax_id),
        settings("default_rate", percent=str(percent), nexus=("CA",), inclusive=True),
    )

    assert got.total == one.subtotal


_PLACES = st.sampled_from(["", "DE", "FR", "GR", "GB", "US", "US-CA", "US-NY", "US-XX", "CA-QC"])
_VAT_IDS = {"DE": "DE136695976", "FR": "FR40303265045", "GR": "EL094259216"}
_TAX_IDS = st.sampled_from([None, "12-3456789", *_VAT_IDS.values()])


@st.composite
def taxations(draw: st.DrawFn) -> TaxSettings:
    """Settings of any mode."""
    rates = draw(st.dictionaries(_PLACES.filter(bool), st.sampled_from(["0", "5", "19"])))
    return settings(
        draw(st.sampled_from(["none", "default_rate", "manual_rates"])),
        percent="19",
        rates=rates,
        nexus=draw(st.sampled_from([(), ("CA",), ("CA", "NY")])),
        seller=draw(st.sampled_from(["DE", "FR", "US", "GB"])),
        inclusive=draw(st.booleans()),
    )


@pytest.mark.spec("TAX-1", "TAX-2")
@given(
    wanted=taxations(),
    place=_PLACES,
    tax_id=_TAX_IDS,
    business_name=st.sampled_from([None, "Wax"]),
)
def test_any_sale__is_taxed_only_where_the_law_and_the_merchant_say_so(
    wanted: TaxSettings, place: str, tax_id: str | None, business_name: str | None
) -> None:
    who = buyer(place, tax_id=tax_id, business_name=business_name)
    got = tax_for(who, wanted)

    if tax_id is None and business_name is None:
        assert (got.percent, got.reason) == (0, "b2c_tax_not_supported")
    elif wanted.mode is TaxMode.NONE:
        assert (got.percent, got.reason) == (0, "tax_not_configured")
    elif place.startswith("US"):
        assert not got.percent or place.removeprefix("US-") in wanted.us_nexus_states
    elif place != wanted.seller_country and tax_id == _VAT_IDS.get(place, ""):
        assert (got.percent, got.reason) == (0, "reverse_charge")
    elif wanted.mode is TaxMode.DEFAULT_RATE:
        assert got.percent == 19
    # Nothing is free of tax without a word about it, but where the merchant set a rate of 0.
    if not got.percent and not got.reason:
        assert any(one.percent == 0 for one in wanted.rates)
    assert not got.inclusive or got.reason in ("", "vat_id_missing", "vat_id_invalid")
    assert got.country == place.partition("-")[0]


@pytest.mark.spec("TAX-2", "INV-6")
@given(one=invoices(), percent=_PERCENTS, inclusive=st.booleans(), data=st.data())
def test_credit_notes__give_back_the_whole_total_and_the_whole_tax(
    one: Invoice, percent: Decimal, inclusive: bool, data: st.DataObject
) -> None:
    unit = D(1).scaleb(-minor_digits(one.currency))
    got = taxed(
        one,
        buyer("DE", business_name="Kerze"),
        settings("default_rate", percent=str(percent), inclusive=inclusive),
    )
    credited: defaultdict[LineId, Decimal] = defaultdict(Decimal)
    tax = D(0)
    for line_id, amount in creditable(got).items():
        wanted = data.draw(st.integers(0, int(amount / unit))) * unit
        if wanted:
            for made in credit_lines(got, {line_id: wanted}, credited, tax):
                assert 0 <= made.tax_amount <= (made.amount if inclusive else made.tax_amount)
                credited[made.invoice_line_id] += made.amount
                tax += made.tax_amount
    for made in credit_lines(got, {}, credited, tax):
        credited[made.invoice_line_id] += made.amount
        tax += made.tax_amount
    total = sum(credited.values(), D(0)) + (D(0) if inclusive else tax)

    assert (tax, total) == ((got.tax_amount, got.total) if got.subtotal else (0, 0))
