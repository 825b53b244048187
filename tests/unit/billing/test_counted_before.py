"""How long what was used before counts against an allowance that came later (ENT-4, CRD-5)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from candela_server.billing.rules.counted_before import CountedBefore, share_out
from candela_server.credit.model import CreditGrant

from tests.helpers.builders import day, grant

D = Decimal
FIRST, SECOND, END = day(2026, 1, 10), day(2026, 1, 20), day(2026, 1, 31)


def allowance(name: str, amount: str) -> CreditGrant:
    return grant(name, balance=amount, expires_at=END)


def before(**amounts: int) -> CountedBefore:
    until: dict[str, datetime | None] = {"first": FIRST, "second": SECOND, "always": None}
    return CountedBefore({until[name]: D(amount) for name, amount in amounts.items()})


@pytest.mark.spec("ENT-4", "CRD-5")
def test_use_of_the_same_period__is_taken_off_for_all_of_it() -> None:
    [share] = share_out([allowance("one", "100")], before(always=70))

    assert (share.taken, share.again) == (D(70), {})


@pytest.mark.spec("ENT-4", "CRD-5")
def test_use_of_periods_that_were_cut_off__comes_again_as_each_would_be_over() -> None:
    [share] = share_out([allowance("one", "100")], before(first=70, second=20, always=5))

    assert (share.taken, share.again) == (D(95), {FIRST: D(70), SECOND: D(20)})


@pytest.mark.spec("ENT-4", "CRD-5")
def test_more_than_there_is__comes_again_only_where_what_still_counts_leaves_something() -> None:
    [share] = share_out([allowance("one", "100")], before(first=80, second=70))

    # 150 count at first, 70 from the first end on, nothing from the second.
    assert (share.taken, share.again) == (D(100), {FIRST: D(30), SECOND: D(70)})


@pytest.mark.spec("ENT-4", "CRD-5")
def test_two_allowances__bear_it_one_after_the_other_and_have_it_again_the_other_way_round() -> (
    None
):
    shares = share_out(
        [allowance("one", "10"), allowance("two", "100")], before(first=20, always=5)
    )

    assert [one.taken for one in shares] == [D(10), D(15)]
    assert [one.again for one in shares] == [{FIRST: D(5)}, {FIRST: D(15)}]


@pytest.mark.spec("ENT-4", "CRD-5")
def test_what_would_come_again_after_the_allowance__does_not() -> None:
    [share] = share_out(
        [grant("one", balance="100", expires_at=FIRST)], before(first=40, second=30)
    )

    assert (share.taken, share.again) == (D(70), {})
