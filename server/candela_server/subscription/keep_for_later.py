"""Keeps a change of a subscription for its time, as far as it can be known that it will be possible then (SUB-5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.storage.postgres import Tx

from . import scheduled_store
from .append_without_change import append_without_change
from .cancel_subscription import cancel_later, is_end
from .carry_out_change import NAMES
from .change import (
    Change,
    Changed,
    ComponentSwap,
    Resume,
    ScheduledChange,
)
from .follow_seats import check_seats
from .model import (
    Proration,
    Subscription,
    SubscriptionVersion,
)
from .next_version import next_version
from .payable import check_payable
from .swap_component import swapped, with_price


async def check_possible(
    tx: Tx, held: Subscription, change: Change, at: datetime
) -> SubscriptionVersion | None:
    """What it would lead to today, as far as that has a name. Raises now what would be raised then, as far as that can
    be known; a resumption follows a pause that may come."""
    if isinstance(change, Resume):
        return None
    if isinstance(change, ComponentSwap):
        # A price of its own is made only once it is held.
        old, new = await swapped(tx, held, change)
        after = replace(held, version=with_price(held, old, new))
        await check_seats(tx, held, old, after, new, at=at)
        return None
    version = await next_version(tx, held, change, at=at)
    prices = await catalog.get_prices(tx, [held.version.price_id, version.price_id])
    old, new = prices[held.version.price_id], prices[version.price_id]
    check_payable(replace(held, version=version), new)
    await check_seats(tx, held, old, replace(held, version=version), new, at=at)
    return version


async def keep_for_later(tx: Tx, held: Subscription, planned: ScheduledChange) -> Changed:
    """Keeps the change for its time. A cancellation takes the place of an earlier one, and shows on the version."""
    if is_end(planned):
        earlier = [one for one in await scheduled_store.list_pending(tx, held.id) if is_end(one)]
        outcome = f"replaced by {planned.id}"
        await scheduled_store.call_off(tx, [one.id for one in earlier], outcome)
    await scheduled_store.insert_scheduled(tx, planned)
    before = held
    if is_end(planned):
        held = await append_without_change(
            tx,
            held,
            cancel_later(held, planned.due_at),
            at=planned.created_at,
            reason=planned.reason,
        )
    await tx.audit(
        "subscription.change_scheduled",
        held.id,
        before={"version": before.version.number, "cancel_at": before.version.cancel_at},
        after={
            "version": held.version.number,
            "scheduled_change_id": planned.id,
            "change": NAMES[type(planned.change)],
            "due_at": planned.due_at,
        },
        reason=planned.reason or None,
    )
    return Changed(
        subscription=held,
        at=None,
        now=planned.created_at,
        proration=planned.proration or Proration.NEXT_INVOICE,
        test_clock_id=planned.test_clock_id,
        scheduled=planned,
    )
