"""What many invoices depend on, read as sets: subscriptions, their histories, what was bought, and who pays by what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.catalog.price import Price, PriceId
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerId
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Proration, Subscription, SubscriptionId
from candela_server.subscription.rules.history import PlanVersionSteps, held_at
from candela_server.subscription.rules.reschedule import BILLED

from . import tax_store
from .rules.cut_commitment import CutCommitment, Terms
from .rules.find_cut_commitments import cut_commitments
from .tax_settings import TaxSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a chunk of subscriptions depends on, read once for all of them.

    `offers` are those in force, `ever_held` all that their histories know.
    """

    subscriptions: Mapping[SubscriptionId, Subscription]
    offers: Mapping[SubscriptionId, Offer]
    ever_held: Mapping[catalog.OfferKey, Offer]
    customers: Mapping[CustomerId, Customer]
    grants: Mapping[CustomerId, Sequence[CreditGrant]]
    histories: Mapping[SubscriptionId, Sequence[Subscription]]
    tax_settings: TaxSettings

    def held_at(self, subscription_id: SubscriptionId, instant: datetime) -> Subscription:
        """The subscription in the version of an instant; the first one for what lies before it."""
        return held_at(self.histories[subscription_id], instant)

    def offer_of(self, one: Subscription) -> Offer:
        """What was bought in one version of a subscription."""
        return self.ever_held[one.version.plan_version_id, one.version.price_id]

    def same_tariff(self, subscription_id: SubscriptionId, price: Price) -> frozenset[PriceId]:
        """The price, and those that the subscription held as variations of the same one: what counts for one counts
        for all of them (SUB-6)."""
        if len(self.histories[subscription_id]) == 1:
            return frozenset()
        held = {
            self.offer_of(one).price.id
            for one in self.histories[subscription_id]
            if self.offer_of(one).price.sold_as == price.sold_as
        }
        return frozenset({price.id, price.sold_as, *held})

    def tariff_of(
        self, subscription_id: SubscriptionId, price_id: PriceId | None
    ) -> frozenset[PriceId | None]:
        """The price of this id, and those that count as one with it."""
        held = (offer.price for offer in self.ever_held.values() if offer.price.id == price_id)
        same: set[PriceId] = set().union(
            *(self.same_tariff(subscription_id, price) for price in held)
        )
        return frozenset({price_id, *same})

    def terms_of(self, subscription_id: SubscriptionId) -> list[Terms]:
        """What was held of what is billed, since when, oldest first."""
        return [
            Terms(
                since=one.version.valid_from,
                offer=self.offer_of(one) if one.version.status in BILLED else None,
                anchor_at=one.anchor_at,
                prorated=one.version.proration is not Proration.NONE,
                quantities=one.version.quantities,
            )
            for one in self.histories[subscription_id]
        ]

    def cut_commitments(
        self, subscription_id: SubscriptionId, since: datetime | None = None
    ) -> list[CutCommitment]:
        """The periods of commitments that its changes cut or ended; none of one that never changed."""
        if len(self.histories[subscription_id]) == 1:
            return []
        time_zone = self.subscriptions[subscription_id].time_zone
        return cut_commitments(self.terms_of(subscription_id), time_zone, since=since)

    def plan_versions(self, subscription_id: SubscriptionId) -> PlanVersionSteps:
        """Since when it has been on which plan version, oldest first."""
        return [
            (one.version.valid_from, one.version.plan_version_id)
            for one in self.histories[subscription_id]
        ]


async def read_context(tx: Tx, ids: Sequence[SubscriptionId], *, until: datetime) -> Context:
    """Reads the subscriptions, what they bought, who bought it, and their grants that began before `until`.

    Of the grants that have ended, only those that may have something left: others pay for nothing any more. Who looks
    back at what they paid reads them by `with_ended_grants`.
    """
    subscriptions = await subscription.get_subscriptions(tx, ids)
    histories = await subscription.list_histories(tx, subscriptions.values())
    offers = await catalog.get_offers(
        tx, sorted({_key(one) for history in histories.values() for one in history})
    )
    holders = sorted({one.customer_id for one in subscriptions.values()})
    grants: defaultdict[CustomerId, list[CreditGrant]] = defaultdict(list)
    for grant in await credit.list_grants_of_customers(tx, holders, since=until, until=until):
        grants[grant.customer_id].append(grant)
    return Context(
        subscriptions=subscriptions,
        offers={one.id: offers[_key(one)] for one in subscriptions.values()},
        ever_held=offers,
        customers=await customer.get_customers(tx, holders),
        grants=grants,
        histories=histories,
        tax_settings=await tax_store.get_tax_settings(tx),
    )


async def with_ended_grants(
    tx: Tx, context: Context, holders: Sequence[CustomerId], *, since: datetime, until: datetime
) -> Context:
    """The context with those grants of these customers as well that ended after `since`, spent ones too.

    What the context says of a grant stays: something may be set aside of it.
    """
    known = {grant.id for grants in context.grants.values() for grant in grants}
    grants = {one: list(some) for one, some in context.grants.items()}
    for grant in await credit.list_grants_of_customers(tx, holders, since=since, until=until):
        if grant.id not in known:
            grants.setdefault(grant.customer_id, []).append(grant)
    return replace(context, grants=grants)


def _key(one: Subscription) -> catalog.OfferKey:
    return one.version.plan_version_id, one.version.price_id
