"""Checks what a migration asks for against what exists: the same for a preview and for the real thing (CAT-9)."""

from __future__ import annotations

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import PlanNotSoldError, PriceNotFoundError
from candela_server.catalog.model import PlanId, PlanVersionStatus
from candela_server.catalog.refs import ById
from candela_server.catalog.rules.not_billable_yet import what_cannot_be_billed
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerNotFoundError
from candela_server.kernel.errors import InvalidInput, Unserved
from candela_server.storage.postgres import Tx

from . import migration_store, store
from .migration import MigrationFilter, MigrationTerms
from .model import SubscriptionNotFoundError


async def resolve_migration(tx: Tx, terms: MigrationTerms) -> PlanId:
    """The plan whose subscribers the terms move.

    Raises PlanVersionNotFoundError; InvalidInput for versions of two plans, which share no prices, so that moving
    between them is a change of plan (SUB-6); PlanNotSoldError when the new version is not published; the not-found
    errors of what the filter names; and Unserved when the new version holds what cannot be billed yet.
    """
    source = await catalog.get_plan_version(tx, terms.from_version_id)
    target = await catalog.get_plan_version(tx, terms.to_version_id)
    if source.id == target.id:
        raise InvalidInput(
            "is the version that they are on; name another one", field="to_plan_version_id"
        )
    if source.plan_id != target.plan_id:
        raise InvalidInput(
            f"is a version of {target.plan_id}, not of {source.plan_id}; a migration moves between versions of one "
            "plan, and a move to another plan is ChangePlan of each subscription (SUB-6)",
            field="to_plan_version_id",
        )
    if target.status is not PlanVersionStatus.PUBLISHED:
        plan = await catalog.get_plan(tx, ById(target.plan_id))
        raise PlanNotSoldError(plan.slug, f"its version {target.number} is {target.status}")
    await _check_filter(tx, terms.filter)
    prices = await migration_store.list_prices_of_chosen(tx, terms)
    offers = await catalog.get_offers(tx, [(target.id, price_id) for price_id in prices])
    for price_id in prices:
        refused = what_cannot_be_billed(offers[target.id, price_id])
        if refused is not None:
            raise Unserved(
                f"a migration to {refused.what}", refused.spec_ids, field="to_plan_version_id"
            )
    return target.plan_id


async def _check_filter(tx: Tx, wanted: MigrationFilter) -> None:
    """Another merchant's ids, and invented ones, are errors: nobody should believe that they were reached."""
    subscriptions = {
        one.id for one in await store.list_subscriptions_by_id(tx, wanted.subscription_ids)
    }
    for subscription_id in wanted.subscription_ids:
        if subscription_id not in subscriptions:
            raise SubscriptionNotFoundError(subscription_id)
    customers = await customer.get_customers(tx, wanted.customer_ids)
    for customer_id in wanted.customer_ids:
        if customer_id not in customers:
            raise CustomerNotFoundError(CustomerById(customer_id))
    prices = await catalog.get_prices(tx, wanted.price_ids)
    for price_id in wanted.price_ids:
        if price_id not in prices:
            raise PriceNotFoundError(price_id)
