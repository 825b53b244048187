"""All that the snapshots of some customers are built from, read as sets in one transaction: many cost what one does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from candela_server.catalog.model import Feature, Metric, MetricId
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant
from candela_server.customer import read as customer
from candela_server.customer.model import (
    Customer,
    CustomerByExternalId,
    CustomerById,
    CustomerId,
    CustomerRef,
    User,
    UserByExternalId,
    UserById,
    UserRef,
)
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import reservation_store, store
from .holdings import read_holdings
from .remembered_catalog import Catalog
from .reservation import Reservation
from .rules.holding import Holding
from .rules.period_starts import earliest_start

Who = CustomerRef | UserRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Whom an id stands for: a customer, through one of its users or not."""

    customer: Customer
    user: User | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The catalog, and what is known of each customer at its own `now`, as of one snapshot of the database.

    Ids that are nobody's are not among `people`.
    """

    features: Sequence[Feature]
    metrics: Mapping[MetricId, Metric]
    revision: int
    people: Mapping[Who, Meant]
    nows: Mapping[CustomerId, datetime]
    holdings: Mapping[CustomerId, Sequence[Holding]]
    grants: Mapping[CustomerId, Sequence[CreditGrant]]
    grants_begin_at: Mapping[str, datetime]
    open_reservations: Mapping[CustomerId, Sequence[Reservation]]


async def read_facts(tx: Tx, clock: Clock, whos: Sequence[Who], catalog: Catalog) -> Facts:
    """What the snapshots of these need: a dozen statements, however many they are."""
    people = await _people(tx, whos)
    features, metrics = await catalog.basis(tx)
    revision = await store.current_revision(tx)
    customers = {one.customer.id: one.customer for one in people.values()}
    nows = await customer.nows_of(tx, clock, customers.values())
    holdings = await read_holdings(tx, nows, catalog) if nows else {}
    since = {one: earliest_start(holdings[one], now) for one, now in nows.items()}
    return Facts(
        features=features,
        metrics=metrics,
        revision=revision,
        people=people,
        nows=nows,
        holdings=holdings,
        grants=await credit.list_paying_grants(tx, since, nows) if nows else {},
        grants_begin_at=await credit.next_starts_at(tx, nows) if nows else {},
        open_reservations=await reservation_store.list_shown(tx, nows) if nows else {},
    )


async def _people(tx: Tx, whos: Sequence[Who]) -> dict[Who, Meant]:
    users = await _users(tx, whos)
    ids = {one.id for one in whos if isinstance(one, CustomerById)}
    ids |= {user.customer_id for user in users.values()}
    external_ids = [one.external_id for one in whos if isinstance(one, CustomerByExternalId)]
    found: dict[Who, Meant] = {}
    by_id = await customer.get_customers(tx, sorted(ids)) if ids else {}
    if external_ids:
        for one in await customer.get_customers_by_external_id(tx, external_ids):
            assert one.external_id is not None, "selected by it"
            found[CustomerByExternalId(one.external_id)] = Meant(customer=one, user=None)
    for who in whos:
        if isinstance(who, CustomerById) and who.id in by_id:
            found[who] = Meant(customer=by_id[who.id], user=None)
        elif who in users:
            found[who] = Meant(customer=by_id[users[who].customer_id], user=users[who])
    return found


async def _users(tx: Tx, whos: Sequence[Who]) -> dict[Who, User]:
    """The users who are meant and act for somebody still."""
    ids = [one.id for one in whos if isinstance(one, UserById)]
    external_ids = [one.external_id for one in whos if isinstance(one, UserByExternalId)]
    if not ids and not external_ids:
        return {}
    found: dict[Who, User] = {}
    for user in await customer.get_users_by_any_id(tx, ids, external_ids):
        if user.archived_at is not None:
            continue
        found[UserById(user.id)] = user
        if user.external_id is not None:
            found[UserByExternalId(user.external_id)] = user
    return found
