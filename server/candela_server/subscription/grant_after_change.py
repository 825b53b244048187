"""What credits become when the terms of a subscription change in the middle of a period (CRD-5, SUB-6).

A definition that comes with the old and the new terms goes on: nothing is granted twice. Nor is it when terms come
back within a period: what they had left counts again, also where it had expired meanwhile. What comes with the new
terms only is granted from the change on; of a period's allowance billing takes off what the period used under other
plans (billing/count_used_before.py), so that no way from plan to plan and back brings a fresh one (ENT-4). What came
with the old terms only pays for what was used before, and counts no more (`counts_for`): so the credits of a trial end
with it (CRD-6). Seats that are added bring their own credits at once, seats that were held before in the period none.
Credits that do not renew with billing begin once; a rule of their own goes on by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditBasis, CreditDefinition, Offer
from candela_server.credit import read as credit
from candela_server.credit.end_credits import end_credits
from candela_server.credit.grant_again import take_back
from candela_server.credit.grant_credits import grant_for_periods
from candela_server.credit.model import SINCE_AT_MOST, CreditGrant, PeriodGrant
from candela_server.credit.reopen_credits import reopen_credits
from candela_server.credit.rules.ordinal import next_ordinal
from candela_server.credit.rules.renewal import period_amount
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import version_store
from .model import Subscription
from .renew_by_rule import schedule_renewals
from .rules.credits_held import counts_for, is_over
from .rules.first_grants import end_of_own
from .rules.reschedule import BILLED, ENDED
from .rules.schedule import credit_component
from .rules.sold import Sold, most_seats


def are_other_terms(before: Offer, after: Offer) -> bool:
    """Whether credits begin anew: with another plan, or another price of it where prices bring credits of their own."""
    if before.plan.id != after.plan.id:
        return True
    own = [one for offer in (before, after) for one in offer.credit_definitions if one.price_id]
    return bool(own) and before.price.sold_as != after.price.sold_as


async def terms_since(tx: Tx, held: Subscription, at: datetime) -> datetime:
    """When other terms begin that take the place of these: just after what these granted last."""
    found = await credit.list_grants_of_subscription(tx, held.id)
    begun = any(one.effective_at >= at for one in found)
    return at + SINCE_AT_MOST if begun else at


async def _history_of(tx: Tx, held: Subscription) -> list[Sold]:
    """What was held under each version, oldest first."""
    histories = await version_store.list_histories(tx, [held.id])
    keys = [(one.version.plan_version_id, one.version.price_id) for one in histories[held.id]]
    offers = await catalog.get_offers(tx, keys)
    return [
        Sold(held=one, offer=offers[key]) for one, key in zip(histories[held.id], keys, strict=True)
    ]


async def grant_after_change(
    tx: Tx,
    before: Sold,
    after: Sold,
    *,
    at: datetime,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> None:
    """Grants what the new terms bring from `at` on, and ends what came with terms that are over.

    What is left lapses once the last period that it can pay for is invoiced, or drawn where its usage has no price;
    what was to begin later only (credit/grant_again.py) goes at once.
    """
    held = after.held
    grants = await credit.list_grants_of_subscription(tx, held.id)
    if _are_over(before, after):
        unbegun = [one for one in grants if one.definition_id and at < one.effective_at]
        await take_back(tx, unbegun, reason="the terms that brought it are over", at=now)
    over = [one for one in grants if is_over(one, held, after.offer)]
    await end_credits(tx, [one.id for one in over], at=at)
    if after.held.version.status not in BILLED:
        return
    await reopen_credits(
        tx,
        [
            one
            for one in grants
            if one.counts_at(at)
            and counts_for(one, held, after.offer)
            and not counts_for(one, before.held, before.offer)
        ],
        at=now,
    )
    history = await _history_of(tx, held)
    wanted = []
    for definition in after.offer.credit_definitions:
        own = [one for one in grants if one.definition_id == definition.id]
        running = [one for one in own if one.counts_at(at) and counts_for(one, held, after.offer)]
        seats = after.seats
        if not definition.renew_on_billing:
            if not own:
                wanted.append(_first_of_own(after, definition, at))
            continue
        if running:
            if definition.basis is not CreditBasis.SEAT:
                continue
            begun_at = _whole(after, definition, at).start_at
            seats -= most_seats(definition, history, after, begun_at, running)
            if seats <= 0:
                continue
        period = _period(after, definition, at, running)
        wanted.append(
            PeriodGrant(
                customer_id=held.customer_id,
                subscription_id=held.id,
                definition=definition,
                amount=period_amount(
                    definition, first=_is_first(after, definition, at, own, running), seats=seats
                ),
                effective_at=period.start_at,
                expires_at=period.end_at,
                ordinal=next_ordinal(own, definition.id, period.start_at),
            )
        )
    await grant_for_periods(tx, wanted, at=now)
    await schedule_renewals(tx, held, after.offer, test_clock_id, after=at)


def _are_over(before: Sold, after: Sold) -> bool:
    """Whether the terms before are over, with all that they would have brought."""
    return (
        after.held.version.status in ENDED
        or before.held.anchor_at != after.held.anchor_at
        or are_other_terms(before.offer, after.offer)
    )


def _is_first(
    after: Sold,
    definition: CreditDefinition,
    at: datetime,
    own: Sequence[CreditGrant],
    running: Sequence[CreditGrant],
) -> bool:
    """Whether what is granted is the first of its definition; a plan that comes back in its first period brings that
    again."""
    if running:
        return False
    begun_at = _whole(after, definition, at).start_at
    return all(one.effective_at >= begun_at for one in own)


def _first_of_own(after: Sold, definition: CreditDefinition, at: datetime) -> PeriodGrant:
    """What is granted as new terms begin of a definition that does not renew with billing."""
    return PeriodGrant(
        customer_id=after.held.customer_id,
        subscription_id=after.held.id,
        definition=definition,
        amount=period_amount(definition, first=True, seats=after.seats),
        effective_at=at,
        expires_at=end_of_own(definition, at),
    )


def _period(
    after: Sold,
    definition: CreditDefinition,
    at: datetime,
    running: Sequence[CreditGrant],
) -> Interval:
    """The period that the grant pays for: what is left of the one that `at` falls into, or as the running ones do."""
    whole = _whole(after, definition, at)
    start_at = min((one.effective_at for one in running), default=at)
    return Interval(start_at, whole.end_at)


def _whole(after: Sold, definition: CreditDefinition, at: datetime) -> Interval:
    held = after.held
    rule = credit_component(after.offer, definition).recurrence_in(held.time_zone)
    return rule.period_containing(held.anchor_at, at)
