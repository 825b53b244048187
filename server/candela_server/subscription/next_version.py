"""What each kind of change makes of a subscription's terms, and what is usual for it; each has a file of its own."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from candela_server.catalog.price import Price
from candela_server.storage.postgres import Tx

from .cancel_subscription import cancel_now
from .change import (
    Cancellation,
    Change,
    ComponentSwap,
    Pause,
    PlanChange,
    PriceOverride,
    QuantityChange,
    Reactivation,
    Resume,
    Start,
    TrialEnd,
)
from .change_plan import change_plan, override_price
from .change_quantity import change_quantity, usual_proration, usual_timing
from .end_trial import end_trial
from .migration import MoveTiming
from .model import Proration, Status, Subscription, SubscriptionVersion
from .pause_subscription import pause, resume
from .reactivate_subscription import reactivate
from .start_subscription import start
from .swap_component import swap_component


def usual_timing_of(held: Subscription, change: Change) -> MoveTiming:
    """When a change takes effect that does not say it."""
    match change:
        case Cancellation():
            # What has not begun has no period to wait for.
            waits = held.version.status is Status.INCOMPLETE
            return MoveTiming.NOW if waits else MoveTiming.PERIOD_END
        case QuantityChange():
            return usual_timing(held, change)
        case _:
            return MoveTiming.NOW


def usual_proration_of(price: Price, change: Change, set_by_merchant: Proration) -> Proration:
    """What becomes of a cut period when nobody says it.

    What the price says of seats goes before what the merchant has set. Where periods begin anew, nothing is cut of what
    is held from then on, and neither counts.
    """
    match change:
        case QuantityChange():
            return usual_proration(price, change, set_by_merchant)
        case Start() | TrialEnd() | Reactivation():
            return Proration.NEXT_INVOICE
        case _:
            return set_by_merchant


async def next_version(
    tx: Tx, held: Subscription, change: Change, *, at: datetime
) -> SubscriptionVersion:
    """The terms after the change. Raises what the change's own file says."""
    match change:
        case PlanChange():
            return await change_plan(tx, held, change, at=at)
        case PriceOverride():
            return await override_price(tx, held, change)
        case QuantityChange():
            return await change_quantity(tx, held, change)
        case ComponentSwap():
            return await swap_component(tx, held, change, at=at)
        case Pause():
            return pause(held)
        case Resume():
            return await resume(tx, held)
        case Start():
            return start(held, change)
        case Cancellation():
            return cancel_now(held)
        case Reactivation():
            return await reactivate(tx, held, change, at=at)
        case TrialEnd():
            return await end_trial(tx, held, change, at=at)
        case _:
            assert_never(change)
