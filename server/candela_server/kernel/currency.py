"""ISO 4217: which currencies exist and how many decimals their amounts have.

Payment providers deviate from ISO (some take ISK with two decimals, some UGX): that is the provider
adapter's business, never this table's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_ZERO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DIGITS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA
MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR
RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    {
        code: digits
        for digits, codes in (
            (0, _ZERO_DIGITS),
            (2, _TWO_DIGITS),
            (3, _THREE_DIGITS),
            (4, _FOUR_DIGITS),
        )
        for code in codes.split()
    }
)
"""Decimals by currency code.

Precious metals, funds without a minor unit and test codes are not sold in.
"""


def minor_digits(code: str) -> int:
    """How many decimals an amount of this currency has: 0 for JPY, 2 for USD, 3 for KWD.

    Raises ValueError for an unknown code.
    """
    try:
        return MINOR_DIGITS[code]
    except KeyError:
        raise ValueError(
            f"unknown currency {code!r}; use an upper-case ISO 4217 code such as USD"
        ) from None
