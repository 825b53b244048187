"""The plans that are sold."""

from __future__ import annotations

from .parts import fee, seats, usage
from .sold import Sold, Trial

FREE = Sold(slug="free", currency="USD", minor_digits=2, parts=(fee("0"),))
TEAM = Sold(
    slug="team",
    currency="USD",
    minor_digits=2,
    parts=(seats("30", minimum_seats=2), usage("flat", "0.2")),
    credits="100",
    credits_per_seat=True,
)
GRADUATED = Sold(
    slug="graduated",
    currency="USD",
    minor_digits=2,
    parts=(
        fee("49.90", percent_off="50", off_periods=3),
        usage(
            "graduated",
            ("500", "0.0123", "0"),
            ("2000", "0.01", "5"),
            (None, "0.004567", "0"),
            free_units="100",
        ),
    ),
)
VOLUME = Sold(
    slug="volume",
    currency="EUR",
    minor_digits=2,
    parts=(
        fee("1200", every="year"),
        usage("volume", ("300", "0.5", "0"), ("1500", "0.35", "0"), (None, "0.21", "10")),
    ),
)
PACKAGE = Sold(
    slug="package",
    currency="USD",
    minor_digits=2,
    parts=(
        fee("7.77", every="week", arrears=True),
        usage("package", "250", "1.49", minimum="2.50", maximum="12"),
    ),
)
YEN = Sold(
    slug="yen",
    currency="JPY",
    minor_digits=0,
    parts=(seats("999", included_seats=3), usage("flat", "0.37", every="week")),
)
DINAR = Sold(
    slug="dinar",
    currency="KWD",
    minor_digits=3,
    parts=(fee("3.125"), usage("percent", "2.9")),
    credits="150",
)
TIERS_AND_CREDITS = Sold(
    slug="tiers-and-credits",
    currency="USD",
    minor_digits=2,
    parts=(
        fee("15", arrears=True),
        usage("graduated", ("400", "0.03", "0"), (None, "0.0171", "2")),
    ),
    credits="333",
)
COMMITTED = Sold(
    slug="committed",
    currency="USD",
    minor_digits=2,
    parts=(fee("20"), usage("flat", "0.031")),
    commitment="60",
)
TEAM_PLUS = Sold(
    slug="team-plus",
    currency="USD",
    minor_digits=2,
    parts=(
        fee("365", every="year"),
        seats("21.50", minimum_seats=3, included_seats=1, bill_immediately=True),
        usage("flat", "0.15"),
    ),
    credits="70",
    credits_per_seat=True,
)
TEAM_TRIAL = Sold(
    slug="team-trial",
    currency="USD",
    minor_digits=2,
    parts=(seats("0"),),
    trial=Trial(parent=TEAM, days=14),
)

AHEAD = Sold(
    slug="ahead",
    currency="USD",
    minor_digits=2,
    parts=(
        fee("11"),
        usage("graduated", ("300", "0.21", "0"), (None, "0.12", "1"), minimum="9"),
    ),
    credits="50",
    threshold="35",
)
AHEAD_VOLUME = Sold(
    slug="ahead-volume",
    currency="USD",
    minor_digits=2,
    parts=(
        fee("5", arrears=True),
        usage("volume", ("400", "0.25", "0"), (None, "0.11", "0"), every="week"),
    ),
    threshold="20",
)
ROLLING = Sold(
    slug="rolling",
    currency="USD",
    minor_digits=2,
    parts=(fee("8"), usage("graduated", ("150", "0.19", "0"), (None, "0.11", "3"))),
    credits="160",
    rollover_cap="110",
)

FAMILIES: tuple[tuple[Sold, ...], ...] = (
    (FREE, TEAM, TEAM_PLUS, TEAM_TRIAL),
    (GRADUATED, PACKAGE, TIERS_AND_CREDITS),
    (VOLUME,),
    (YEN,),
    (DINAR,),
    (COMMITTED,),
    (AHEAD, AHEAD_VOLUME),
)
"""Plans between which subscribers move; nobody holds two of one family."""
STEADY: tuple[Sold, ...] = (ROLLING,)
"""Plans that some hold beside others, and never change."""

LEAST = Sold(
    slug="least",
    currency="GBP",
    minor_digits=2,
    parts=(fee("20"), usage("flat", "0.031")),
    commitment="60",
)
LEAST_SEATS = Sold(
    slug="least-seats",
    currency="GBP",
    minor_digits=2,
    parts=(
        fee("9.90", arrears=True),
        seats("6.50", minimum_seats=2, bill_immediately=True),
        usage("graduated", ("200", "0.11", "0"), (None, "0.07", "1.5"), free_units="20"),
    ),
    commitment="95.50",
)
LEAST_WEEKLY = Sold(
    slug="least-weekly",
    currency="GBP",
    minor_digits=2,
    parts=(
        fee("4.40", every="week"),
        usage("volume", ("60", "0.09", "0"), (None, "0.06", "0"), every="week", minimum="0.70"),
    ),
    commitment="33",
)
UNBOUND = Sold(
    slug="unbound",
    currency="GBP",
    minor_digits=2,
    parts=(fee("41"), usage("flat", "0.02")),
)
COMMITTING: tuple[Sold, ...] = (LEAST, LEAST_SEATS, LEAST_WEEKLY, UNBOUND)
"""Plans with commitments that changes cut, and one without."""

GIVING = Sold(
    slug="giving",
    currency="CHF",
    minor_digits=2,
    parts=(fee("14.20"), usage("flat", "0.043", every="week")),
    money="17.35",
)
"""A plan that brings money off its charges."""

PLANS: tuple[Sold, ...] = (
    *(plan for family in FAMILIES for plan in family),
    *STEADY,
    *COMMITTING,
    GIVING,
)
