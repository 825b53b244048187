"""The subscriptions that a customer's entitlements rest on, each with what it gives access to now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import FeatureId, Offer
from candela_server.catalog.refs import ById
from candela_server.customer.model import CustomerId
from candela_server.merchant import read as merchant
from candela_server.merchant.model import PastDuePolicy
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.feature_override import FeatureOverride
from candela_server.subscription.model import Status, Subscription, SubscriptionId
from candela_server.subscription.rules.history import in_state_since
from candela_server.subscription.rules.trial import trial_end

from .remembered_catalog import Catalog, OfferKey
from .rules.holding import Holding
from .rules.past_due import access_in
from .rules.precedence import Access


async def read_holdings(
    tx: Tx, at: Mapping[CustomerId, datetime], offers_of: Catalog
) -> dict[CustomerId, list[Holding]]:
    """Each customer's subscriptions that say something about access at its instant, oldest first (ENT-3, ENT-10)."""
    subscriptions = await subscription.list_of_customers(tx, list(at))
    policy = PastDuePolicy()
    past_due = [one for one in subscriptions if one.version.status is Status.PAST_DUE]
    since = {one.id: one.version.valid_from for one in subscriptions}
    if past_due:
        policy = (await merchant.get_merchant(tx)).settings.past_due_policy
        histories = await subscription.list_histories(tx, past_due)
        # What changes meanwhile begins no new grace.
        since |= {one_id: in_state_since(versions) for one_id, versions in histories.items()}
    # The same for all of them; read when somebody needs it.
    left: list[OfferKey | None] = []
    found: list[tuple[Subscription, OfferKey, Access, datetime | None]] = []
    for one in subscriptions:
        now = at[one.customer_id]
        state = access_in(
            one.version.status,
            since=since[one.id],
            policy=policy,
            now=now,
            ends_at=one.version.cancel_at,
        )
        if state is None:
            continue
        access, until = state
        key = (one.version.plan_version_id, one.version.price_id)
        if access is Access.REDUCED:
            left = left or [await _what_is_left(tx, policy)]
            access, key = (Access.PAST_DUE, key) if left[0] is None else (access, left[0])
        found.append((one, key, access, until))
    offers = await offers_of.offers(tx, [key for _, key, _, _ in found])
    overrides = await _overrides(tx, [one.id for one, _, _, _ in found])
    drawn = await subscription.list_drawn_parts(tx, [one for one, _, _, _ in found])
    pauses = await subscription.list_pauses(tx, [one for one, _, _, _ in found])
    waiting = await subscription.list_waiting_usage(
        tx, sorted({one.customer_id for one, _, _, _ in found})
    )
    holdings: dict[CustomerId, list[Holding]] = {one: [] for one in at}
    for one, key, access, until in found:
        offer = offers[key]
        until = _earlier(until, one, offer, at[one.customer_id])
        holdings[one.customer_id].append(
            Holding(
                one,
                offer,
                access,
                until,
                overrides[one.id],
                drawn[one.id],
                pauses[one.id],
                waiting[one.customer_id],
            )
        )
    return holdings


def _earlier(
    until: datetime | None, held: Subscription, offer: Offer, now: datetime
) -> datetime | None:
    """`until`, or the end of the trial that the subscription is in, if that comes first."""
    trial = offer.plan.trial
    if trial is None or held.version.status not in (Status.TRIALING, Status.PAUSED):
        return until
    end = trial_end(trial, held.anchor_at, held.time_zone)
    return until if end <= now else min(end, until or end)


async def _what_is_left(tx: Tx, policy: PastDuePolicy) -> OfferKey | None:
    """The plan that past-due customers are reduced to, as it is sold now; None when it is not sold any more."""
    assert policy.downgrade_plan_id is not None, "a downgrade has a plan"
    plan = await catalog.get_plan(tx, ById(policy.downgrade_plan_id))
    prices = await catalog.list_prices_on_sale(tx, plan.id)
    if plan.archived_at is not None or plan.current_version_id is None or not prices:
        return None
    return plan.current_version_id, prices[0].id


async def _overrides(
    tx: Tx, ids: list[SubscriptionId]
) -> dict[SubscriptionId, dict[FeatureId, FeatureOverride]]:
    by_subscription: dict[SubscriptionId, dict[FeatureId, FeatureOverride]] = {
        one: {} for one in ids
    }
    for override in await subscription.list_overrides(tx, ids):
        by_subscription[override.subscription_id][override.feature_id] = override
    return by_subscription
