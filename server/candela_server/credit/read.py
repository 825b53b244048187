"""What others may ask about credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditApplicationType
from candela_server.customer.model import CustomerId
from candela_server.storage.postgres import Tx

from . import end_store, ledger_store, store
from .model import CreditGrant, GrantId, GrantNotFoundError
from .rules.billed_within import less_promised
from .rules.parts_over import had

_ZERO = Decimal(0)


async def get_grant(tx: Tx, grant_id: GrantId, *, lock: bool = False) -> CreditGrant:
    """The grant with its balance, which nobody else changes until commit when locked. Raises GrantNotFoundError."""
    found = await get_grants(tx, [grant_id], lock=lock)
    if not found:
        raise GrantNotFoundError(grant_id)
    return found[0]


async def next_starts_at(tx: Tx, after: Mapping[CustomerId, datetime]) -> dict[str, datetime]:
    """When a grant of each customer that does not count yet at its instant begins to, of those who wait for one."""
    return await store.next_starts_at(tx, after)


async def list_grants(tx: Tx, customer_id: CustomerId, at: datetime) -> list[CreditGrant]:
    """The customer's grants that can pay for usage of this instant, in no particular order."""
    return await store.list_grants_counting_at(tx, [customer_id], at)


async def list_grants_of(
    tx: Tx, at: Mapping[CustomerId, datetime]
) -> dict[CustomerId, list[CreditGrant]]:
    """Of each customer the grants that can pay for usage of its instant, in no particular order."""
    found: dict[CustomerId, list[CreditGrant]] = {one: [] for one in at}
    for grant in await store.list_grants_counting_for(tx, at):
        found[CustomerId(grant.customer_id)].append(grant)
    return found


async def list_spendable_grants(
    tx: Tx, at: Mapping[CustomerId, datetime]
) -> dict[CustomerId, list[CreditGrant]]:
    """As list_grants_of; usage credit that goes on when periods end is less what drafts of invoices will draw of it.

    What a period that is over used is spent, though it is posted only when its invoice is final.
    """
    return await _less_promised(tx, await list_grants_of(tx, at), {})


async def list_paying_grants(
    tx: Tx, since: Mapping[CustomerId, datetime], at: Mapping[CustomerId, datetime]
) -> dict[CustomerId, list[CreditGrant]]:
    """As list_spendable_grants, and usage credit that ended since an instant of each customer: its period's beginning.

    Such a grant comes with what it had at its end, whether that has expired in the ledger yet or not: it goes on paying
    for what was used in its time. All come with what invoices took from them for periods that were not over then.
    """
    found: dict[CustomerId, list[CreditGrant]] = {one: [] for one in at}
    ended: list[GrantId] = []
    for grant in await store.list_grants_counting_for(tx, at, since):
        found[CustomerId(grant.customer_id)].append(grant)
        if not grant.counts_at(at[grant.customer_id]):
            ended.append(grant.id)
    lapsed = await sum_lapsed(tx, ended) if ended else {}
    if lapsed:
        found = {
            one: [had(grant, lapsed.get(grant.id, _ZERO)) for grant in grants]
            for one, grants in found.items()
        }
    asked = {
        grant.id: since[one]
        for one, grants in found.items()
        for grant in grants
        if grant.application_type is CreditApplicationType.USAGE
    }
    drawn = await ledger_store.list_drawn_by_lines(tx, asked) if asked else {}
    if drawn:
        found = {
            one: [replace(grant, taken=tuple(drawn.get(grant.id, ()))) for grant in grants]
            for one, grants in found.items()
        }
    return await _less_promised(tx, found, since)


async def _less_promised(
    tx: Tx,
    found: Mapping[CustomerId, list[CreditGrant]],
    since: Mapping[CustomerId, datetime],
) -> dict[CustomerId, list[CreditGrant]]:
    """The grants less what drafts draw of those that outlast periods, or did: they began before the running one."""

    def outlasts(one: CustomerId, grant: CreditGrant) -> bool:
        began_before = one in since and grant.effective_at < since[one]
        return grant.outlasts_periods or began_before

    asked = [one for one, grants in found.items() if any(outlasts(one, grant) for grant in grants)]
    promised = await ledger_store.list_promised(tx, asked) if asked else {}
    return {
        one: [
            less_promised(grant, promised[grant.id])
            if outlasts(one, grant) and grant.id in promised
            else grant
            for grant in grants
        ]
        for one, grants in found.items()
    }


async def list_grants_of_customers(
    tx: Tx, customer_ids: Sequence[CustomerId], *, until: datetime, since: datetime | None = None
) -> list[CreditGrant]:
    """The customers' grants that began before `until`, with their balances.

    All of them, or, with `since`, those that had not ended by then or may have something left.
    """
    return await store.list_grants_of_customers(tx, customer_ids, since=since, until=until)


async def list_grants_of_subscription(tx: Tx, subscription_id: str) -> list[CreditGrant]:
    """All grants that ever came with a subscription, also those that have not begun, with their balances."""
    return await store.list_grants_of_subscription(tx, subscription_id)


async def list_monetary_grants(
    tx: Tx, customer_ids: Sequence[CustomerId], *, until: datetime
) -> list[CreditGrant]:
    """The customers' monetary grants that have begun by an instant and have something left, by id."""
    return await store.list_monetary_grants(tx, customer_ids, until)


async def list_ends(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, datetime]:
    """When grants with something left end, those that do: their own end, or that of the terms they came with."""
    return await end_store.list_ends(tx, grant_ids)


async def sum_granted(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What each grant was ever good for: granted and adjusted, less what was revoked; drawn or expired or not."""
    return await ledger_store.sum_granted(tx, grant_ids)


async def sum_lapsed(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What expired of each grant as its own time was over; those of which nothing did are absent."""
    return await ledger_store.sum_lapsed(tx, grant_ids)


async def sum_expired(tx: Tx, grant_ids: Sequence[GrantId]) -> dict[GrantId, Decimal]:
    """What expired of each grant, in all; those of which nothing did are absent."""
    return await ledger_store.sum_expired(tx, grant_ids)


async def get_grants(tx: Tx, ids: Sequence[GrantId], *, lock: bool = False) -> list[CreditGrant]:
    """The grants with these ids and their balances, by id; with `lock` no other transaction draws from them until
    commit."""
    if lock:
        await store.lock_grants(tx, sorted(ids))
    return await store.list_grants_by_id(tx, ids)
