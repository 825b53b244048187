"""Whether a tax id is a VAT id of a member of the European Union: its form and its check digits (TAX-2).

Nobody is asked over the network, so that an invoice never waits for an office that is closed: whether the id is
registered is for the merchant to look up.
"""

from __future__ import annotations

from typing import Final

from stdnum.eu import vat

_PREFIXES: Final = {"GR": ("EL", "GR")}


def is_vat_id_of(country: str, tax_id: str) -> bool:
    """Whether `tax_id` is a well-formed VAT id of this member of the EU, prefix and all.

    Blanks, points and hyphens do not count, nor does the case.
    """
    letters = "".join(one for one in tax_id if one.isalnum()).upper()
    if not letters.isascii():  # stdnum would take digits of other scripts for what they stand for
        return False
    return letters.startswith(_PREFIXES.get(country, (country,))) and vat.is_valid(letters)
