"""Resolves all features of one customer from the database: what a check needs but for the usage itself."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.catalog.model import Feature
from candela_server.credit import read as credit
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerById, CustomerRef, User, UserRef
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import reservation_store, store
from .holdings import read_holdings
from .model import Denial, FeatureState, Snapshot, Source
from .remembered_catalog import Catalog, ReadCatalog
from .rules.resolve_feature import resolve_feature
from .share import table_of
from .show_reserved import show_reserved

Who = CustomerRef | UserRef


async def build_snapshot(
    tx: Tx, clock: Clock, who: Who, catalog: Catalog | None = None
) -> Snapshot:
    """All features of whoever is meant, as of one snapshot of the database.

    Nobody with that id gets a snapshot too, in which everything is denied: an answer, and as good to cache.
    """
    catalog = catalog or ReadCatalog()
    holder, user = await _resolve(tx, who)
    features, metrics = await catalog.basis(tx)
    revision = await store.current_revision(tx)
    if holder is None:
        return _of_nobody(features, revision)
    own_clock = await customer.customer_clock(tx, clock, holder)
    now = own_clock.now()
    holdings = await read_holdings(tx, holder, now, catalog)
    grants = await credit.list_spendable_grants(tx, [holder.id], now)
    begins_at = await credit.next_start_at(tx, holder.id, now)
    states = [resolve_feature(feature, holdings, grants, metrics, now) for feature in features]
    open_ones = await reservation_store.list_shown(tx, holder.id, now)
    states = show_reserved(states, open_ones, user.id if user else None)
    return Snapshot(
        customer_id=holder.id,
        user_id=user.id if user else None,
        subscription_ids=tuple(one.subscription.id for one in holdings),
        features=table_of(states),
        revision=revision,
        frozen_now=now if holder.test_clock_id is not None else None,
        valid_until=min(
            (
                end
                for end in (begins_at, *(state.valid_until for state in states))
                if end is not None
            ),
            default=None,
        ),
    )


async def _resolve(tx: Tx, who: Who) -> tuple[Customer | None, User | None]:
    if isinstance(who, CustomerRef):
        return await customer.find_customer(tx, who), None
    user = await customer.find_user(tx, who)
    if user is None or user.archived_at is not None:
        return None, None
    return await customer.get_customer(tx, CustomerById(user.customer_id)), user


def _of_nobody(features: Sequence[Feature], revision: int) -> Snapshot:
    return Snapshot(
        customer_id=None,
        user_id=None,
        subscription_ids=(),
        features=table_of(
            [
                FeatureState(
                    slug=feature.slug,
                    value=feature.default_value,
                    source=Source.DEFAULT,
                    denial=Denial.CUSTOMER_UNKNOWN,
                    holding=None,
                    metered=None,
                    valid_until=None,
                )
                for feature in features
            ]
        ),
        revision=revision,
        frozen_now=None,
        valid_until=None,
    )
