"""Refuses a second subscription to the same plan family, which is most often a mistake (SUB-9).

A family is a plan, in all its versions and at all its prices, with the trial plans that lead to it. The customer is
held from the look on until the transaction ends, so that of two that come at once the later sees the earlier one's.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Plan, PlanId
from candela_server.catalog.refs import ById
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.storage.postgres import Tx

from . import store
from .model import DuplicateSubscriptionError, Status, SubscriptionId
from .rules.lifecycle import RUNNING

_HELD = RUNNING | {Status.INCOMPLETE}


async def check_duplicate(
    tx: Tx,
    customer_id: CustomerId,
    plan: Plan,
    *,
    by: SubscriptionId | None = None,
    begins_at: datetime | None = None,
) -> None:
    """Raises DuplicateSubscriptionError when another subscription than `by` is to the plan's family: one that runs, or
    that is to begin. One that is to end by `begins_at` is none.
    """
    await customer.get_customer(tx, CustomerById(customer_id), lock=True)
    families: dict[PlanId, PlanId] = {plan.id: family_of(plan)}
    for held in await store.list_subscriptions_of_customers(tx, [customer_id]):
        if held.id == by or held.version.status not in _HELD:
            continue
        cancel_at = held.version.cancel_at
        if begins_at is not None and cancel_at is not None and cancel_at <= begins_at:
            continue
        held_id = held.version.plan_id
        if held_id not in families:
            families[held_id] = family_of(await catalog.get_plan(tx, ById(held_id)))
        if families[held_id] == families[plan.id]:
            raise DuplicateSubscriptionError(held.id)


def family_of(plan: Plan) -> PlanId:
    """The plan that the family is named by: itself, or what a trial of it leads to."""
    return plan.trial.parent_plan_id if plan.trial else plan.id
