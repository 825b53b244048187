"""ISO 4217 as a table."""

from __future__ import annotations

import pytest

from candela_server.kernel.currency import minor_digits


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("digits", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
        (2, "USD EUR GBP CHF INR BRL HUF TWD MGA"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF"),
    ],
)
def test_known_currency__has_the_digits_of_iso_4217(digits: int, codes: str) -> None:
    assert {minor_digits(code) for code in codes.split()} == {digits}


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize("code", ["", "usd", "US", "XXX", "XTS", "XAU", "BTC", "USD "])
def test_unknown_currency__is_a_value_error(code: str) -> None:
    with pytest.raises(ValueError, match="unknown currency"):
        minor_digits(code)
