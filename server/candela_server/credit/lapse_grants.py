"""Ends grants whose time is over: some may be carried over into the next period, the rest expires (CRD-3, CRD-5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditDefinition, CreditDefinitionId
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import end_store, ledger_store, store
from .model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    Funding,
    GrantId,
    TransactionKind,
)
from .new_grant import posted, store_grants
from .rules.rollover import carried_over

_ALL: Final[Mapping[GrantId, Decimal]] = {}

Definitions = Mapping[CreditDefinitionId, CreditDefinition]
"""By id, at least those of the grants at hand."""

_Ended = tuple[str | None, str | None, datetime | None]
"""What ends together: the grants of one definition and subscription that end at one instant."""


async def lapse_grants(
    tx: Tx,
    grants: Sequence[CreditGrant],
    *,
    at: datetime,
    unused: Mapping[GrantId, Decimal] = _ALL,
    definitions: Definitions | None = None,
) -> list[CreditGrant]:
    """Posts the ends of grants, and returns what was carried over; their balances are as in this transaction.

    Of a grant in `unused` no more than that is carried over: what was used of it is not drawn. `definitions` are those
    of the grants, where who calls has read them.

    Called once the last period that a grant could pay for is invoiced: checks ignore a lapsed grant at once, and the
    ledger follows. What is carried over leaves the grant by an adjustment, so that late usage of the old period does
    not find it there any more.
    """
    left = [grant for grant in grants if grant.balance > 0]
    if definitions is None:
        definitions = await definitions_of(tx, left)
    carried, made = await _carry_over(tx, [_unused(one, unused) for one in left], definitions, at)
    rest = [
        replace(grant, balance=grant.balance - carried.get(grant.id, Decimal(0))) for grant in left
    ]
    spent = [grant for grant in rest if grant.balance > 0]
    if spent:
        await ledger_store.insert_transactions(
            tx, [posted(TransactionKind.EXPIRE, grant, reason="", at=at) for grant in spent]
        )
    return made


async def definitions_of(tx: Tx, grants: Sequence[CreditGrant]) -> Definitions:
    """The definitions by which these grants were given."""
    ids = sorted({grant.definition_id for grant in grants if grant.definition_id is not None})
    return await catalog.get_credit_definitions(tx, ids)


def _unused(grant: CreditGrant, unused: Mapping[GrantId, Decimal]) -> CreditGrant:
    return replace(grant, balance=min(grant.balance, unused.get(grant.id, grant.balance)))


async def _carry_over(
    tx: Tx, grants: Sequence[CreditGrant], definitions: Definitions, at: datetime
) -> tuple[dict[GrantId, Decimal], list[CreditGrant]]:
    """Makes the grants of what is carried over, and returns what each old grant gave for them, and them."""
    renewing = [grant.id for grant in grants if grant.definition_id is not None]
    ends = await end_store.list_ends(tx, renewing) if renewing else {}
    ended: defaultdict[_Ended, list[CreditGrant]] = defaultdict(list)
    for grant in grants:
        noted = ends.get(grant.id)
        if noted is not None and grant.expires_at is not None and noted < grant.expires_at:
            continue  # its terms ended before its time: what follows is no further period of theirs
        if grant.definition_id is not None and definitions[grant.definition_id].rollover_cap > 0:
            ended[grant.definition_id, grant.subscription_id, grant.expires_at].append(grant)
    given: dict[GrantId, Decimal] = {}
    made: list[CreditGrant] = []
    for together in ended.values():
        first = together[0]
        assert first.definition_id is not None, "selected above"
        successor = await store.find_successor(tx, first)
        if successor is None:
            continue  # nothing follows that it could be carried into
        parts = carried_over(together, definitions[first.definition_id].rollover_cap)
        amount = sum(parts.values(), Decimal(0))
        assert first.expires_at is not None, "it ended"
        grant = replace(
            first,
            id=GrantId(new_id("grant")),
            amount=amount,
            balance=amount,
            effective_at=first.expires_at,
            expires_at=successor.expires_at,
            funding=Funding.ROLLOVER,
            reason="",
            created_at=at,
            # One for all that ended: whichever of them is the first now, nothing is carried over twice.
            ordinal=0,
        )
        if await store_grants(tx, [grant], at=at):
            given |= parts
            made.append(grant)
            await _take(tx, parts, grant.id, at)
    return given, made


async def _take(tx: Tx, parts: dict[GrantId, Decimal], into: GrantId, at: datetime) -> None:
    await ledger_store.insert_transactions(
        tx,
        [
            CreditTransaction(
                id=CreditTransactionId(new_id("ctx")),
                grant_id=grant_id,
                kind=TransactionKind.ADJUST,
                amount=-amount,
                invoice_line_id=None,
                reason=f"carried over into {into}",
                at=at,
            )
            for grant_id, amount in parts.items()
        ],
    )
