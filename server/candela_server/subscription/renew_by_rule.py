"""Grants credits that renew by a rule of their own, whenever it says so, whatever is billed when (CRD-5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.credit.grant_credits import grant_for_periods
from candela_server.credit.model import PeriodGrant
from candela_server.credit.rules.renewal import period_amount
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Postgres, Tx

from . import read, renewal_store
from .model import Subscription
from .renewal_store import Renewal
from .rules.first_grants import end_of_own
from .rules.lifecycle import RUNNING
from .rules.seats import seats_held

CHUNK = 500


async def schedule_renewals(
    tx: Tx, held: Subscription, offer: Offer, test_clock_id: TestClockId | None, *, after: datetime
) -> None:
    """Notes when the offer's credits with a rule of their own are granted next after an instant.

    What is missing for subscribers who came to an offer in another way is noted by `schedule_missing`.
    """
    rows = []
    for definition in offer.credit_definitions:
        rule = definition.renewal_in(held.time_zone)
        if rule is not None:
            number = rule.period_number_at(held.anchor_at, after) + 1
            rows.append(
                Renewal(
                    subscription_id=held.id,
                    definition_id=definition.id,
                    test_clock_id=test_clock_id,
                    number=number,
                    due_at=rule.period(held.anchor_at, number).start_at,
                )
            )
    if rows:
        await renewal_store.put_renewals(tx, rows)


async def renew_due(
    db: Postgres, merchant_id: str, *, now: datetime, test_clock_id: TestClockId | None = None
) -> int:
    """Grants everything of a merchant that renews by `now`, in real time or on one test clock; returns how many.

    After an outage each missed period is granted with its own time, so that what has lapsed meanwhile stays lapsed.
    """
    count = 0
    while True:
        async with db.writing(merchant_id) as tx:
            due = await renewal_store.lock_due(
                tx, until=now, test_clock_id=test_clock_id, limit=CHUNK
            )
            await _renew(tx, due, now)
        if not due:
            return count
        count += len(due)


async def schedule_missing(db: Postgres, merchant_id: str, now: datetime) -> int:
    """Notes the renewals of subscribers whose plan changed to one with such credits; returns of how many."""
    async with db.writing(merchant_id) as tx:
        found = await renewal_store.list_unscheduled(tx, CHUNK)
        held = await read.get_subscriptions(tx, [one_id for one_id, _ in found])
        offers = await catalog.get_offers(
            tx, [(one.version.plan_version_id, one.version.price_id) for one in held.values()]
        )
        for one_id, test_clock_id in found:
            one = held[one_id]
            offer = offers[one.version.plan_version_id, one.version.price_id]
            # On a test clock the present may lie behind or ahead; the version's own beginning is right for both.
            after = max(one.version.valid_from, one.anchor_at)
            await schedule_renewals(
                tx, one, offer, test_clock_id, after=after if test_clock_id else max(after, now)
            )
    return len(found)


async def _renew(tx: Tx, due: Sequence[Renewal], now: datetime) -> None:
    if not due:
        return
    subscriptions = await read.get_subscriptions(tx, sorted({one.subscription_id for one in due}))
    offers = await catalog.get_offers(
        tx,
        [(one.version.plan_version_id, one.version.price_id) for one in subscriptions.values()],
    )
    grants, following, over = [], [], []
    for one in due:
        held = subscriptions[one.subscription_id]
        offer = offers[held.version.plan_version_id, held.version.price_id]
        definition = next(
            (each for each in offer.credit_definitions if each.id == one.definition_id), None
        )
        rule = definition.renewal_in(held.time_zone) if definition else None
        if definition is None or rule is None or held.version.status not in RUNNING:
            over.append(one)
            continue
        seats = seats_held(offer.price, held.version.quantities)
        grants.append(
            PeriodGrant(
                customer_id=held.customer_id,
                subscription_id=held.id,
                definition=definition,
                amount=period_amount(definition, first=False, seats=seats),
                effective_at=one.due_at,
                expires_at=end_of_own(definition, one.due_at),
            )
        )
        following.append(
            Renewal(
                subscription_id=one.subscription_id,
                definition_id=one.definition_id,
                test_clock_id=one.test_clock_id,
                number=one.number + 1,
                due_at=rule.period(held.anchor_at, one.number + 1).start_at,
            )
        )
    await grant_for_periods(tx, grants, at=now)
    await renewal_store.put_renewals(tx, following)
    await renewal_store.delete_renewals(tx, over)
    for holder in sorted({one.customer_id for one in grants}):
        await tx.entitlements_changed(holder)
