"""Money is exact, rounds once, and loses no cent when it is split."""

from __future__ import annotations

from decimal import Decimal, Inexact
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.money import (
    CurrencyMismatch,
    Money,
    exact,
    format_decimal,
    parse_decimal,
)

amounts = st.decimals(min_value=-(10**20), max_value=10**20, places=12)
currencies = st.sampled_from(["JPY", "USD", "KWD", "CLF"])
weights = st.lists(
    st.decimals(min_value=0, max_value=10**6, places=6), min_size=1, max_size=12
).filter(any)


def usd(amount: str) -> Money:
    return Money(currency="USD", amount=Decimal(amount))


@pytest.mark.spec("INV-8")
def test_thousand_events_of_a_small_price__are_rounded_once_not_each() -> None:
    price = usd("0.0004")

    assert (price * 1000).rounded() == usd("0.40")
    assert Money.sum("USD", [price.rounded()] * 1000) == usd("0")  # what rounding each would give


@pytest.mark.spec("INV-8")
def test_thousand_times_a_tenth__is_a_hundred() -> None:
    assert Money.sum("USD", [usd("0.1")] * 1000) == usd("100")


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("amount", "want"),
    [
        pytest.param("6.018", "6.02", id="three lines of 10.03 at 20 %, taxed per group"),
        pytest.param("0.1881", "0.19", id="three lines of 0.33 at 19 %, taxed per group"),
        pytest.param("0.005", "0.01", id="a tie goes up"),
        pytest.param("-0.005", "-0.01", id="a negative tie goes away from zero"),
        pytest.param("0.015", "0.02", id="a tie beside an odd digit"),
        pytest.param("0.025", "0.03", id="a tie beside an even digit: not banker's rounding"),
        pytest.param("0.00499999999999", "0", id="below a tie"),
        pytest.param("15.48387096774193", "15.48", id="16 of 31 days of 30.00"),
    ],
)
def test_amount_in_dollars__rounds_half_up_to_cents(amount: str, want: str) -> None:
    assert usd(amount).rounded() == usd(want)


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("currency", "amount", "want"),
    [("JPY", "500.5", "501"), ("KWD", "1.0005", "1.001"), ("USD", "1", "1.00")],
)
def test_amount_of_another_currency__rounds_to_its_own_minor_unit(
    currency: str, amount: str, want: str
) -> None:
    got = Money(currency=currency, amount=Decimal(amount)).rounded()

    assert got.text == want


@pytest.mark.spec("INV-8")
@given(currencies, amounts)
def test_rounding__moves_by_half_a_minor_unit_at_most_and_only_once(
    currency: str, amount: Decimal
) -> None:
    money = Money(currency=currency, amount=amount)
    unit = Fraction(1, 10 ** {"JPY": 0, "USD": 2, "KWD": 3, "CLF": 4}[currency])

    got = money.rounded()

    assert abs(Fraction(got.amount) - Fraction(amount)) <= unit / 2
    assert (Fraction(got.amount) / unit).denominator == 1
    assert got.rounded() == got
    assert (-money).rounded() == -got


@pytest.mark.spec("INV-8")
@given(currencies, amounts, weights)
def test_split__sums_to_the_whole_and_each_part_is_within_a_unit_of_its_share(
    currency: str, amount: Decimal, weights: list[Decimal]
) -> None:
    money = Money(currency=currency, amount=amount).rounded()
    unit = Fraction(1, 10 ** {"JPY": 0, "USD": 2, "KWD": 3, "CLF": 4}[currency])
    whole = sum(Fraction(weight) for weight in weights)

    parts = money.split(weights)

    assert Money.sum(currency, parts) == money
    for part, weight in zip(parts, weights, strict=True):
        share = Fraction(money.amount) * Fraction(weight) / whole
        assert abs(Fraction(part.amount) - share) < unit
        assert part == part.rounded()


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("amount", "weights", "want"),
    [
        pytest.param(
            "10.00", "1 1 1", "3.34 3.33 3.33", id="equal remainders: the earlier gets it"
        ),
        pytest.param("-10.00", "1 1 1", "-3.34 -3.33 -3.33", id="a credit splits like a charge"),
        pytest.param("0.01", "1 3", "0 0.01", id="the larger remainder gets the only cent"),
        pytest.param("1.00", "0 5", "0 1", id="no weight, no part"),
        pytest.param("0.0001", "1 1", "0.0001 0", id="an unrounded amount splits at its own place"),
        pytest.param("0", "1 2", "0 0", id="nothing"),
    ],
)
def test_split__goes_by_largest_remainder(amount: str, weights: str, want: str) -> None:
    got = usd(amount).split([Decimal(weight) for weight in weights.split()])

    assert got == [usd(part) for part in want.split()]


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize("weights", [[], ["0"], ["-1", "2"], ["NaN"]])
def test_split_by_weights_that_mean_nothing__is_refused(weights: list[str]) -> None:
    with pytest.raises(ValueError, match="weight"):
        usd("1").split([Decimal(weight) for weight in weights])


@pytest.mark.spec("INV-8")
@given(amounts, amounts, amounts)
def test_sums_and_products__obey_exact_arithmetic(a: Decimal, b: Decimal, factor: Decimal) -> None:
    x, y = Money(currency="USD", amount=a), Money(currency="USD", amount=b)

    assert x + y - y == x
    assert (x + y) * factor == x * factor + y * factor
    assert factor * x == x * factor
    assert (x < y) == (a < b)


@pytest.mark.spec("INV-8")
def test_longest_inputs_multiplied__stay_exact() -> None:
    longest = parse_decimal("9" * 26 + "." + "9" * 12)

    got = Money(currency="USD", amount=longest) * longest * longest

    assert Fraction(got.amount) == Fraction(longest) ** 3


@pytest.mark.spec("INV-8")
def test_two_currencies__never_meet() -> None:
    yen = Money(currency="JPY", amount=Decimal(1))

    for meet in (lambda: usd("1") + yen, lambda: usd("1") - yen, lambda: usd("1") < yen):
        with pytest.raises(CurrencyMismatch, match="JPY"):
            meet()
    with pytest.raises(CurrencyMismatch):
        Money.sum("USD", [yen])


@pytest.mark.spec("INV-8")
def test_binary_float__is_a_type_error_everywhere() -> None:
    floating: Any = 0.1

    with pytest.raises(TypeError):
        Money(currency="USD", amount=floating)
    with pytest.raises(TypeError):
        usd("1") * floating
    with pytest.raises(TypeError):
        usd("1").split([floating])
    with pytest.raises(TypeError):
        parse_decimal(floating)


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_number__is_no_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        usd(amount)


@pytest.mark.spec("INV-8")
def test_unknown_currency__is_refused() -> None:
    with pytest.raises(ValueError, match="unknown currency 'usd'"):
        Money(currency="usd", amount=Decimal(1))


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("money", "want"),
    [
        (usd("12.5"), "12.50 USD"),
        (usd("0.000001"), "0.000001 USD"),
        (usd("-0.00"), "0.00 USD"),
        (usd("1E+3"), "1000.00 USD"),
        (Money(currency="JPY", amount=Decimal("500.00")), "500 JPY"),
        (Money.zero("KWD"), "0.000 KWD"),
    ],
)
def test_money_as_text__has_the_currencys_places_and_no_exponent(money: Money, want: str) -> None:
    assert str(money) == want


@pytest.mark.spec("DSL-3")
@given(st.decimals(min_value=-(10**25), max_value=10**25, places=12))
def test_decimal_as_text__parses_to_the_same_number(number: Decimal) -> None:
    text = format_decimal(number)

    assert parse_decimal(text) == number
    assert "E" not in text
    assert not (("." in text) and text.endswith("0"))


@pytest.mark.spec("DSL-3")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".5",
        "5.",
        "+1",
        "1e3",
        "1E3",
        "NaN",
        "Infinity",
        "1,000",
        "1 0",
        " 1",
        "1\n",
        "٣",
        "0x1",
        "--1",
        "1.2.3",
    ],
)
def test_text_that_is_no_plain_decimal__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        parse_decimal(text)


@pytest.mark.spec("DSL-3")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0." + "1" * 13, "12 digits after the point"),
        ("1" * 39, "at most 38 digits"),
        ("1" * 1_000_000, "at most 38 digits"),
    ],
)
def test_decimal_that_is_too_long__is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_decimal(text)


@pytest.mark.spec("INV-8")
def test_exact_block__raises_rather_than_lose_a_digit() -> None:
    with exact(), pytest.raises(Inexact):
        Decimal(1) / Decimal(3)
