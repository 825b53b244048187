"""How a merchant's series of documents are counted (INV-4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Series(StrEnum):
    """What is counted, each by itself."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class NumberingReset(StrEnum):
    """When counting begins again at 1."""

    NEVER = "never"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberingScheme:
    """At least so many digits, and whether each civil year of the merchant's zone begins a count of its own."""

    digits: int = 6
    reset: NumberingReset = NumberingReset.NEVER


USUAL_NUMBERING: Final = NumberingScheme()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberingChange:
    """A change of the scheme; None leaves it as it is. `next_number` is what an empty series begins with."""

    digits: int | None = None
    reset: NumberingReset | None = None
    next_number: int | None = None


SAME_NUMBERING: Final = NumberingChange()
