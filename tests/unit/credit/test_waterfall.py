"""Who pays first (CRD-8)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import CreditScope
from candela_server.credit.model import CreditGrant, Draw, Funding, GrantId
from candela_server.credit.rules.waterfall import (
    Draws,
    UsedSpan,
    cuts_of,
    draw,
    draw_in_spans,
    in_order,
)
from candela_server.kernel.interval import Interval

from tests.helpers.builders import EPOCH, day, grant

GRANTS = st.lists(
    st.builds(
        grant,
        st.uuids().map(str),
        balance=st.integers(0, 1000).map(str),
        scope=st.sampled_from(CreditScope),
        priority=st.integers(-2, 2),
        expires_at=st.none() | st.integers(1, 5).map(lambda days: EPOCH + timedelta(days=days)),
        funding=st.sampled_from(Funding),
    ),
    max_size=8,
)
AMOUNTS = st.integers(0, 5000).map(Decimal)


@pytest.mark.spec("CRD-8")
def test_two_grants_of_equal_priority__the_sooner_expiring_pays_first() -> None:
    forever = grant("forever", balance="50")
    january = grant("january", balance="30", expires_at=day(2026, 1, 31))

    got = draw([forever, january], Decimal(40))

    # 30 of 30, then 10 of 50
    assert got == Draws(
        (Draw(GrantId("january"), Decimal(30)), Draw(GrantId("forever"), Decimal(10))), Decimal(0)
    )


@pytest.mark.spec("CRD-8")
def test_order__is_scope_priority_expiry_free_age_and_id() -> None:
    soon = day(2026, 2, 1)
    wanted = [
        grant("component", balance="1", scope=CreditScope.COMPONENT, priority=9),
        grant("price", balance="1", scope=CreditScope.PRICE, priority=9),
        grant("first", balance="1", priority=-1),
        grant("soon", balance="1", expires_at=soon),
        grant("free", balance="1"),
        grant("younger", balance="1", created_at=day(2026, 1, 2)),
        grant("bought", balance="1", funding=Funding.PAID),
        grant("merchant", balance="1", scope=CreditScope.MERCHANT, expires_at=soon),
    ]

    assert [one.id for one in in_order(reversed(wanted))] == [one.id for one in wanted]


@pytest.mark.spec("CRD-8", "CRD-4")
@given(GRANTS, AMOUNTS)
def test_draws__never_exceed_grants_and_always_add_up(
    grants: list[CreditGrant], amount: Decimal
) -> None:
    got = draw(grants, amount)

    balances = {one.id: one.balance for one in grants}
    assert got.covered + got.uncovered == amount
    assert all(0 < one.amount <= balances[one.grant_id] for one in got.draws)
    assert got.uncovered == max(amount - sum(balances.values()), Decimal(0))


@pytest.mark.spec("CRD-8")
@given(GRANTS, AMOUNTS, st.randoms())
def test_draws__do_not_depend_on_the_order_of_reading(
    grants: list[CreditGrant], amount: Decimal, chance: object
) -> None:
    shuffled = list(grants)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    assert draw(shuffled, amount) == draw(grants, amount)


@pytest.mark.spec("CRD-8", "CRD-10")
def test_grant_of_a_part_of_a_period__pays_for_usage_of_that_part() -> None:
    january = Interval(day(2026, 1, 1), day(2026, 2, 1))
    plan = grant("plan", balance="100", expires_at=january.end_at)
    gift = grant("gift", balance="50", effective_at=day(2026, 1, 20), scope=CreditScope.MERCHANT)
    [cut] = cuts_of([plan, gift], january)
    before, since = Interval(january.start_at, cut), Interval(cut, january.end_at)

    got, rest = draw_in_spans(
        [gift, plan], [UsedSpan(before, Decimal(130)), UsedSpan(since, Decimal(20))], Decimal(150)
    )

    # the plan's 100 go to the first 130; the gift pays for the 20 of its own time only
    assert got == Draws(
        (Draw(GrantId("plan"), Decimal(100)), Draw(GrantId("gift"), Decimal(20))), Decimal(30)
    )
    assert [one.used for one in rest] == [30, 0]


SPANS = st.lists(st.integers(-50, 400).map(Decimal), min_size=1, max_size=5)


@pytest.mark.spec("CRD-8", "CRD-4")
@given(GRANTS, SPANS)
def test_draws_in_spans__never_exceed_grants_nor_usage_of_their_time(
    grants: list[CreditGrant], used: list[Decimal]
) -> None:
    spans = [
        UsedSpan(Interval(EPOCH + timedelta(days=at), EPOCH + timedelta(days=at + 1)), one)
        for at, one in enumerate(used)
    ]
    total = sum(used, Decimal(0))

    got, rest = draw_in_spans(grants, spans, total)

    balances = {one.id: one for one in grants}
    taken = sum((one.used for one in spans if one.used > 0), Decimal(0)) - sum(
        (one.used for one in rest), Decimal(0)
    )
    assert got.covered + got.uncovered == max(total, Decimal(0))
    assert got.covered == taken
    for one in got.draws:
        paying = balances[one.grant_id]
        payable = sum(
            (span.used for span in spans if paying.covers(span.span) and span.used > 0), Decimal(0)
        )
        assert 0 < one.amount <= min(paying.balance, payable)
