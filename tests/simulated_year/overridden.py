"""A plan with more than one price, and another beside it: subscribers hold any of these prices by turns (SUB-4)."""

from __future__ import annotations

from .parts import fee, seats, usage
from .sold import Sold

LISTED = Sold(
    slug="listed",
    currency="CAD",
    minor_digits=2,
    parts=(fee("24.80"), seats("12.40", minimum_seats=2), usage("flat", "0.11")),
    credits="9",
    credits_per_seat=True,
)
AGREED = Sold(
    slug="agreed",
    currency="CAD",
    minor_digits=2,
    parts=(
        fee("310", every="year"),
        seats("9.95", minimum_seats=3, included_seats=1, bill_immediately=True),
        usage("graduated", ("120", "0.13", "0"), (None, "0.0611", "1.5"), free_units="15"),
    ),
    of=LISTED,
)
WITHOUT_SEATS = Sold(
    slug="without-seats",
    currency="CAD",
    minor_digits=2,
    parts=(
        fee("61.30", arrears=True),
        usage("volume", ("90", "0.19", "0"), (None, "0.12", "0"), minimum="4.60", maximum="55"),
    ),
    of=LISTED,
)
ASIDE = Sold(
    slug="aside",
    currency="CAD",
    minor_digits=2,
    parts=(fee("6.15", every="week"), usage("flat", "0.09")),
    credits="40",
)

FORMER: tuple[Sold, ...] = (AGREED, WITHOUT_SEATS)
OVERRIDDEN: tuple[Sold, ...] = (LISTED, ASIDE)
