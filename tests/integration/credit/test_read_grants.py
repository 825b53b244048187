"""Billing reads the grants that can still pay, however many a customer ever had (CRD-4, CRD-5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest

from candela_server.credit import ledger_store, read, store
from candela_server.credit.model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    GrantId,
    TransactionKind,
)
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Postgres, Tx

from tests.conftest import TestMerchant
from tests.helpers.crediting import give
from tests.helpers.explaining import Explaining
from tests.helpers.selling import Shop

D = Decimal
NOW = datetime(2026, 1, 31, 15, tzinfo=UTC)
ENDED = 300


async def old_grants(tx: Tx, like: CreditGrant) -> None:
    """As many that ended long ago, all of them spent, and whose ends are forgotten."""
    grants = [
        CreditGrant(
            **{
                **{name: getattr(like, name) for name in CreditGrant.__dataclass_fields__},
                "id": GrantId(new_id("grant")),
                "effective_at": NOW - timedelta(days=2 * ENDED + number),
                "expires_at": NOW - timedelta(days=ENDED + number),
            }
        )
        for number in range(ENDED)
    ]
    await store.insert_grants(tx, grants)
    for kind, sign in ((TransactionKind.GRANT, 1), (TransactionKind.DRAW, -1)):
        await ledger_store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=one.id,
                    kind=kind,
                    amount=sign * one.amount,
                    invoice_line_id=None,
                    reason="tests",
                    at=one.effective_at,
                )
                for one in grants
            ],
        )
    await tx.execute(
        "DELETE FROM credit_expiry WHERE merchant_id = $1 AND grant_id = ANY($2::text[])",
        tx.merchant_id,
        [one.id for one in grants],
    )


@pytest.mark.spec("CRD-4", "CRD-5", "INV-1")
async def test_grants_that_ended_and_are_spent__are_not_read_any_more(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    holder = await shop.sign_up("acme")
    gift = await give(shop, holder, "30")
    unswept = await give(shop, holder, "5", expires_at=NOW + timedelta(days=1))
    later = NOW + timedelta(days=2)
    async with db.writing(merchant.id) as tx:
        await old_grants(tx, gift)
        await tx.audit("tests.made", "tests")
    async with db.reading(merchant.id) as tx:
        found = await read.list_grants_of_customers(tx, [holder.id], since=later, until=later)
        every = await read.list_grants_of_customers(tx, [holder.id], until=later)
    async with db.reading(merchant.id) as tx:
        explaining = Explaining(tx)
        await store.list_grants_of_customers(
            cast(Tx, explaining), [holder.id], since=later, until=later
        )

    # The gift never ends; of what ended, the one with something left.
    assert {one.id for one in found} == {gift.id, unswept.id}
    assert len(every) == ENDED + 2
    # Each of the two was given by one transaction, and 600 are of the others.
    assert explaining.rows_of("credit_transaction") == 2
