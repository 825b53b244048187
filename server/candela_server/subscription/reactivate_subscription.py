"""Takes up a canceled subscription again: the same id, periods counted anew from now on (SUB-6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import PriceNotFoundError, PriceNotOfPlanError
from candela_server.catalog.refs import ById
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.storage.postgres import Tx

from .change import Reactivation
from .change_plan import OtherCurrencyError
from .check_duplicate import check_duplicate
from .end_trial import after_the_trial
from .model import Status, Subscription, SubscriptionVersion
from .rules.lifecycle import check_change_of_status
from .rules.quantities import carried_over


async def reactivate(
    tx: Tx, held: Subscription, change: Reactivation, *, at: datetime
) -> SubscriptionVersion:
    """The version that begins again; the plan's version and, unless another is named, the price are the former ones.

    A trial is not had twice: it is taken up as the plan that it leads to.

    Raises TransitionRefusedError unless it is canceled, CustomerArchivedError, DuplicateSubscriptionError when the plan
    is held by another subscription meanwhile, PlanNotSoldError, PriceNotFoundError, PriceNotOfPlanError and
    OtherCurrencyError.
    """
    if held.version.status is not Status.CANCELED:
        check_change_of_status(held.version.status, held.version.status)
    check_change_of_status(held.version.status, Status.ACTIVE)
    # Locked, so that nobody archives the customer meanwhile.
    await customer.get_customer_in_business(tx, CustomerById(held.customer_id), lock=True)
    held = replace(held, version=await after_the_trial(tx, held, at=at))
    plan = await catalog.get_plan(tx, ById(held.version.plan_id))
    await check_duplicate(tx, held.customer_id, plan, by=held.id)
    version = replace(
        held.version, status=Status.ACTIVE, cancel_at=None, anchor_at=at, terms_since=at
    )
    if change.price_id is None:
        return version
    price = await catalog.get_price(tx, change.price_id)
    if price.private_customer_id not in (None, held.customer_id):
        raise PriceNotFoundError(change.price_id)
    if price.plan_id != held.version.plan_id:
        raise PriceNotOfPlanError(change.price_id, held.version.plan_id)
    if price.currency != held.currency:
        raise OtherCurrencyError(held.currency, price.currency)
    before = await catalog.get_price(tx, held.version.price_id)
    quantities = carried_over(before, held.version.quantities, price, {})
    return replace(version, price_id=price.id, quantities=quantities)
