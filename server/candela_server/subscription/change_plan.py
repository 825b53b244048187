"""Moves a subscription to another plan or price, up or down alike (SUB-6); or replaces its price only (SUB-4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import PriceNotFoundError, PriceNotOfPlanError
from candela_server.catalog.model import Offer
from candela_server.catalog.price import Price
from candela_server.catalog.rules.not_billable_yet import what_cannot_be_billed
from candela_server.kernel.errors import InvalidInput, Reason, Unserved
from candela_server.storage.postgres import Tx

from .change import PlanChange, PriceOverride
from .check_duplicate import check_duplicate
from .model import Status, Subscription, SubscriptionVersion, TransitionRefusedError
from .rules.lifecycle import check_running
from .rules.quantities import carried_over


class OtherCurrencyError(InvalidInput):
    """A subscription keeps the currency that it began with."""

    reason = Reason.CURRENCY_MISMATCH

    def __init__(self, expected: str, actual: str, field: str = "price_id") -> None:
        super().__init__(
            f"the price is in {actual}, the subscription in {expected}; name one in {expected}",
            field=field,
            expected=expected,
            actual=actual,
        )


class TrialOnlyBeginsError(TransitionRefusedError):
    """A trial is what a subscription begins with: no state but INCOMPLETE leads to it (SUB-7, TRL-2)."""

    def __init__(self, before: Status, slug: str) -> None:
        super().__init__(before, Status.TRIALING)
        self.message = (
            f"a subscription that is {before} cannot move to {slug!r}: a trial is what a subscription begins with; "
            "move to the plan that it leads to, or begin another subscription with it"
        )


async def change_plan(
    tx: Tx, held: Subscription, change: PlanChange, *, at: datetime
) -> SubscriptionVersion:
    """The terms after the move: the plan's current version, at the price named or else on sale in the currency.

    A trial that moves is one no more, and its periods are counted from then on (TRL-2).

    Raises TransitionRefusedError (TrialOnlyBeginsError for a trial), DuplicateSubscriptionError, OtherCurrencyError,
    InvalidInput for quantities, and what the catalog raises.
    """
    check_running(held.version.status)
    plan, version, price = await catalog.resolve_price(
        tx,
        change.plan,
        price_id=change.price_id,
        currency=held.currency,
        customer_id=held.customer_id,
    )
    if plan.trial is not None:
        raise TrialOnlyBeginsError(held.version.status, plan.slug)
    if not change.allow_duplicate and plan.id != held.version.plan_id:
        await check_duplicate(tx, held.customer_id, plan, by=held.id)
    _check_currency(held, price)
    offer = await catalog.get_offer(tx, version.id, price.id)
    check_billable(offer)
    before = await catalog.get_price(tx, held.version.price_id)
    quantities = carried_over(before, held.version.quantities, price, change.quantities)
    tried = held.version.status is Status.TRIALING
    return replace(
        held.version,
        status=Status.ACTIVE if tried else held.version.status,
        anchor_at=at if tried else held.version.anchor_at,
        plan_id=plan.id,
        plan_version_id=version.id,
        price_id=price.id,
        quantities=quantities,
    )


async def override_price(tx: Tx, held: Subscription, change: PriceOverride) -> SubscriptionVersion:
    """The terms with another price of the same plan, a private or an older one too; the plan's version stays (SUB-4).

    Raises TransitionRefusedError, PriceNotFoundError, PriceNotOfPlanError and OtherCurrencyError.
    """
    check_running(held.version.status)
    price = await catalog.get_price(tx, change.price_id)
    if price.private_customer_id not in (None, held.customer_id):
        raise PriceNotFoundError(change.price_id)
    if price.plan_id != held.version.plan_id:
        raise PriceNotOfPlanError(change.price_id, held.version.plan_id)
    _check_currency(held, price)
    check_billable(await catalog.get_offer(tx, held.version.plan_version_id, price.id))
    before = await catalog.get_price(tx, held.version.price_id)
    quantities = carried_over(before, held.version.quantities, price, {})
    return replace(held.version, price_id=price.id, quantities=quantities)


def _check_currency(held: Subscription, price: Price) -> None:
    if price.currency != held.currency:
        raise OtherCurrencyError(held.currency, price.currency)


def check_billable(offer: Offer, *, field: str = "plan") -> None:
    """Raises Unserved for what the billing engine cannot bill yet."""
    refused = what_cannot_be_billed(offer)
    if refused is not None:
        raise Unserved(f"a subscription to {refused.what}", refused.spec_ids, field=field)
