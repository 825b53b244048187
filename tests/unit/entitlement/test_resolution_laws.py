"""What a metered feature is, by laws and against a slow and obvious model (ENT-3, ENT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candela_server.catalog.model import FeatureType, LimitBehavior
from candela_server.credit.model import CreditGrant
from candela_server.entitlement.model import FeatureState
from candela_server.entitlement.rules.allowance import decide
from candela_server.entitlement.rules.holding import Holding
from candela_server.entitlement.rules.past_due import access_in
from candela_server.entitlement.rules.precedence import Access
from candela_server.merchant.model import PastDueAction, PastDuePolicy
from candela_server.subscription.model import Status

from tests.helpers.builders import EPOCH, grant
from tests.helpers.holdings import Terms, holding, plan_grant, resolved, usage_feature

NAMES = ("sub_a", "sub_b", "sub_c")
HOURS = st.integers(0, 60).map(lambda hours: timedelta(hours=hours))
NUMBERS = st.integers(0, 4).map(Decimal)
POLICIES = st.sampled_from(
    [
        PastDuePolicy(grace=timedelta(hours=20), then=PastDueAction.BLOCK),
        PastDuePolicy(
            grace=timedelta(hours=20), then=PastDueAction.DOWNGRADE, downgrade_plan_id="p"
        ),
        PastDuePolicy(grace=timedelta(hours=20), then=PastDueAction.KEEP),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A subscription, with the dates from which its access follows."""

    name: str
    terms: Terms
    status: Status
    policy: PastDuePolicy
    ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that decides about the feature, at any instant."""

    owned: tuple[Owned, ...]
    grants: tuple[CreditGrant, ...]
    boolean: bool = False

    def at(self, now: datetime) -> tuple[list[Holding], list[CreditGrant]]:
        """What is read at an instant."""
        holdings = []
        for one in self.owned:
            found = access_in(
                one.status, since=EPOCH, policy=one.policy, now=now, ends_at=one.ends_at
            )
            if found is not None:
                terms = replace(one.terms, access=found[0], access_until=found[1])
                holdings.append(holding(one.name, terms))
        return holdings, [one for one in self.grants if one.counts_at(now)]

    def state(
        self, now: datetime, *, only: str | None = None, turned: bool = False
    ) -> FeatureState:
        """The feature; as if one subscription only were held; with what is read in another order."""
        holdings, grants = self.at(now)
        if only is not None:
            holdings = [one for one in holdings if one.subscription.id == only]
        if turned:
            holdings, grants = holdings[::-1], grants[::-1]
        kind, default = (
            (FeatureType.BOOLEAN, False) if self.boolean else (FeatureType.NUMBER, Decimal(0))
        )
        return resolved(holdings, grants, now=now, feature=usage_feature(kind, default))


@st.composite
def owned(draw: st.DrawFn, name: str, *, boolean: bool) -> Owned:
    """A subscription of any kind."""
    values = st.booleans() if boolean else NUMBERS
    until = draw(st.none() | HOURS)
    terms = Terms(
        value=draw(st.none() | values),
        behavior=draw(st.none() | st.sampled_from(LimitBehavior)),
        priced=draw(st.booleans()),
        with_credits=draw(st.booleans()),
        override=draw(st.none() | values),
        override_until=None if until is None else EPOCH + until,
    )
    end = draw(st.none() | HOURS)
    return Owned(
        name=name,
        terms=terms,
        status=draw(st.sampled_from([Status.ACTIVE, Status.PAST_DUE, Status.PAUSED])),
        policy=draw(POLICIES),
        ends_at=None if end is None else EPOCH + end,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three subscriptions and some credits."""
    boolean = draw(st.booleans())
    names = NAMES[: draw(st.integers(0, 3))]
    held = tuple(draw(owned(name, boolean=boolean)) for name in names)
    grants = []
    for number in range(draw(st.integers(0, 4))):
        since = EPOCH + draw(HOURS)
        lasts = draw(st.none() | HOURS)
        until = None if lasts is None else since + lasts + timedelta(hours=1)
        balance = str(draw(st.integers(0, 4)))
        of = draw(st.none() | st.sampled_from(NAMES))
        grants.append(
            grant(f"g{number}", balance=balance, effective_at=since, expires_at=until)
            if of is None
            else plan_grant(f"g{number}", of, balance, since=since, until=until)
        )
    return World(owned=held, grants=tuple(grants), boolean=boolean)


def entitled(state: FeatureState, used: int) -> bool:
    usage = Decimal(used) if state.metered else None
    return decide(state, used=usage, quantity=Decimal(1)).entitled


def may(one: Holding, grants: Sequence[CreditGrant], now: datetime, used: int) -> bool:
    """Whether a subscription alone lets its customer use one more, said as simply as can be."""
    says = next(iter(one.offer.version.features), None)
    override = next(iter(one.overrides.values()), None)
    if one.access in (Access.PAUSED, Access.PAST_DUE):
        return False
    overrides = one.access is Access.FULL and override is not None
    if overrides and override is not None and override.expires_at is not None:
        overrides = now < override.expires_at
    if not overrides and says is None:
        return False
    value = override.value if overrides and override is not None else says.value if says else None
    if overrides and not value:
        return False
    given = sum((grant.balance for grant in grants if grant.subscription_id is None), Decimal(0))
    of_plan = [
        grant.balance
        for grant in grants
        if grant.subscription_id == one.subscription.id and one.access is Access.FULL
    ]
    any_given = any(grant.subscription_id is None for grant in grants)
    priced = one.offer.component_for_metric(usage_feature().metric_id or "") is not None  # type: ignore[arg-type]
    hard = (says.limit_behavior if says else None) or (
        LimitBehavior.OVERAGE if priced else LimitBehavior.HARD
    )
    refuses = hard is LimitBehavior.HARD
    number = isinstance(value, Decimal)
    if overrides and number:
        return not refuses or used + 1 <= value + given  # type: ignore[operator]
    if of_plan or one.offer.credit_definitions:
        return not refuses or used + 1 <= sum(of_plan, given)
    if number and value:
        return not refuses or used + 1 <= value + given  # type: ignore[operator]
    if number or not value:
        # Nothing is included: what was given counts, and what is billed or let pass is no "no".
        if not refuses:
            return number or any_given
        return used + 1 <= given
    return True


@pytest.mark.spec("ENT-3", "ENT-4", "CAT-8", "ENT-10", "SUB-6")
@settings(max_examples=600)
@given(worlds(), HOURS, st.integers(0, 12))
def test_answer__is_what_the_slow_model_says_of_each_subscription(
    world: World, after: timedelta, used: int
) -> None:
    now = EPOCH + after
    holdings, grants = world.at(now)

    assert entitled(world.state(now), used) is any(may(one, grants, now, used) for one in holdings)


@pytest.mark.spec("ENT-3")
@settings(max_examples=300)
@given(worlds(), HOURS)
def test_several_subscriptions__answer_as_one_of_them_does_alone_in_whatever_order(
    world: World, after: timedelta
) -> None:
    now = EPOCH + after
    got = world.state(now)
    turned = world.state(now, turned=True)
    holdings, _ = world.at(now)

    assert replace(got, holding=None) == replace(turned, holding=None)
    if got.holding is not None:
        decided = holdings[got.holding].subscription.id
        assert holdings[::-1][turned.holding or 0].subscription.id == decided
        alone = world.state(now, only=decided)
        assert (got.value, got.source, got.metered) == (alone.value, alone.source, alone.metered)
        assert got.denial == alone.denial


@pytest.mark.spec("ENT-6", "ENT-8")
@settings(max_examples=600)
@given(worlds(), HOURS, st.integers(1, 1000))
def test_answer__stays_the_same_until_the_instant_that_it_names(
    world: World, after: timedelta, thousandths: int
) -> None:
    now = EPOCH + after
    state = world.state(now)
    begins_at = min(
        (one.effective_at for one in world.grants if one.effective_at > now), default=None
    )
    ends = [end for end in (state.valid_until, begins_at) if end is not None]
    end = min(ends, default=now + timedelta(hours=100))
    assert now < end
    later = end - max((end - now) * thousandths // 1000, timedelta(microseconds=1))

    assert replace(world.state(later), valid_until=None) == replace(state, valid_until=None)
