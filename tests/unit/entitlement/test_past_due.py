"""What a subscription's state gives access to, and what happens when a grace ends (SUB-7, ENT-10)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.entitlement.model import Denial
from candela_server.entitlement.rules.past_due import access_in
from candela_server.entitlement.rules.precedence import Access, Held, value_in_force
from candela_server.merchant.model import PastDueAction, PastDuePolicy
from candela_server.subscription.model import Status

from tests.helpers.builders import EPOCH

WEEK = timedelta(days=7)
BLOCK = PastDuePolicy(grace=WEEK, then=PastDueAction.BLOCK)
DOWNGRADE = PastDuePolicy(grace=WEEK, then=PastDueAction.DOWNGRADE, downgrade_plan_id="plan_free")
KEEP = PastDuePolicy(grace=WEEK, then=PastDueAction.KEEP)


@pytest.mark.spec("ENT-10", "SUB-7")
@pytest.mark.parametrize(
    ("status", "policy", "after", "expected"),
    [
        (Status.TRIALING, BLOCK, timedelta(days=99), (Access.FULL, None)),
        (Status.ACTIVE, BLOCK, timedelta(days=99), (Access.FULL, None)),
        (Status.PAST_DUE, BLOCK, timedelta(0), (Access.FULL, EPOCH + WEEK)),
        (Status.PAST_DUE, BLOCK, WEEK - timedelta(microseconds=1), (Access.FULL, EPOCH + WEEK)),
        (Status.PAST_DUE, BLOCK, WEEK, (Access.PAST_DUE, None)),
        (Status.PAST_DUE, DOWNGRADE, timedelta(days=6), (Access.FULL, EPOCH + WEEK)),
        (Status.PAST_DUE, DOWNGRADE, WEEK, (Access.REDUCED, None)),
        (Status.PAST_DUE, KEEP, timedelta(days=1), (Access.FULL, None)),
        (Status.PAST_DUE, KEEP, timedelta(days=99), (Access.FULL, None)),
        (Status.PAUSED, BLOCK, timedelta(days=1), (Access.PAUSED, None)),
        (Status.INCOMPLETE, BLOCK, timedelta(0), None),
        (Status.CANCELED, BLOCK, timedelta(0), None),
        (Status.EXPIRED, BLOCK, timedelta(0), None),
    ],
)
def test_each_state__gives_the_access_of_the_table(
    status: Status,
    policy: PastDuePolicy,
    after: timedelta,
    expected: tuple[Access, object] | None,
) -> None:
    assert access_in(status, since=EPOCH, policy=policy, now=EPOCH + after) == expected


@pytest.mark.spec("ENT-10")
@given(st.integers(0, 60), st.integers(0, 60))
def test_grace_of_any_length__ends_exactly_once_and_at_the_instant_that_was_told(
    grace_days: int, day: int
) -> None:
    policy = PastDuePolicy(grace=timedelta(days=grace_days))
    now = EPOCH + timedelta(days=day)

    got = access_in(Status.PAST_DUE, since=EPOCH, policy=policy, now=now)

    assert got == (
        (Access.FULL, EPOCH + policy.grace) if day < grace_days else (Access.PAST_DUE, None)
    )


@pytest.mark.spec("SUB-6", "ENT-8", "ENT-10")
@pytest.mark.parametrize(
    ("status", "day", "expected"),
    [
        (Status.ACTIVE, 2, (Access.FULL, EPOCH + timedelta(days=3))),
        (Status.ACTIVE, 3, None),
        (Status.TRIALING, 9, None),
        (Status.PAUSED, 2, (Access.PAUSED, EPOCH + timedelta(days=3))),
        (Status.PAUSED, 3, None),
        (Status.PAST_DUE, 2, (Access.FULL, EPOCH + timedelta(days=3))),
        (Status.PAST_DUE, 9, None),
        (Status.CANCELED, 2, None),
    ],
)
def test_planned_end__is_told_beforehand_and_ends_all_access(
    status: Status, day: int, expected: tuple[Access, object] | None
) -> None:
    now, end = EPOCH + timedelta(days=day), EPOCH + timedelta(days=3)

    assert access_in(status, since=EPOCH, policy=BLOCK, now=now, ends_at=end) == expected


def held(access: Access, plan: bool | None) -> Held:
    return Held(
        subscription_id="sub_1",
        access=access,
        plan_value=plan,
        override_value=True,
        override_until=None,
    )


@pytest.mark.spec("ENT-10", "ENT-6")
@pytest.mark.parametrize(
    ("access", "plan", "entitled", "denial"),
    [
        (Access.REDUCED, True, True, None),
        (Access.REDUCED, False, False, Denial.FEATURE_OFF),
        (Access.REDUCED, None, False, Denial.SUBSCRIPTION_PAST_DUE),
        (Access.PAST_DUE, True, False, Denial.SUBSCRIPTION_PAST_DUE),
    ],
)
def test_reduced_or_blocked__only_what_is_left_is_granted_and_the_reason_says_past_due(
    access: Access, plan: bool | None, entitled: bool, denial: Denial | None
) -> None:
    got = value_in_force(False, [held(access, plan)], disabled=False, now=EPOCH)

    assert (got.value, got.denial) == (entitled, denial)


@pytest.mark.spec("ENT-3", "ENT-10")
def test_another_subscription_in_order__is_not_touched_by_a_past_due_one() -> None:
    paid = Held(
        subscription_id="sub_2",
        access=Access.FULL,
        plan_value=Decimal(5),
        override_value=None,
        override_until=None,
    )
    late = Held(
        subscription_id="sub_1",
        access=Access.PAST_DUE,
        plan_value=Decimal(9),
        override_value=None,
        override_until=None,
    )

    got = value_in_force(Decimal(0), [late, paid], disabled=False, now=EPOCH)

    assert (got.value, got.subscription_id, got.denial) == (5, "sub_2", None)
