"""Compares the ledger of credits with what it should say, and reports every difference (CRD-4).

The database holds the invariant: a balance is the sum of its transactions, never below zero, and neither grants nor
transactions ever change. This job looks for what no constraint can see: defects of ours, and hands in the database. It
repairs nothing, because nobody but a person can know which side is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import structlog

from candela_server.credit.model import GrantId
from candela_server.storage.postgres import Postgres

from . import reconcile_store

log = structlog.get_logger("candela.billing")


class Drift(StrEnum):
    """What does not agree."""

    BALANCE_NEGATIVE = "balance_negative"
    GRANTED_OTHERWISE = "granted_otherwise"
    DRAWN_OTHERWISE = "drawn_otherwise"
    ENDED_UNNOTED = "ended_unnoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One disagreement: what the ledger says of a grant, and what it should say. `line_id` for draws."""

    drift: Drift
    grant_id: GrantId
    line_id: str | None
    want: Decimal
    got: Decimal


async def reconcile_credits(db: Postgres, merchant_id: str) -> list[Difference]:
    """Every difference of one merchant's ledger, as of one snapshot; each is logged as an error."""
    async with db.reading(merchant_id) as tx:
        found = [
            Difference(
                drift=Drift(row.drift),
                grant_id=row.grant_id,
                line_id=row.line_id,
                want=row.want,
                got=row.got,
            )
            for row in [
                *await reconcile_store.list_negative(tx),
                *await reconcile_store.list_granted_otherwise(tx),
                *await reconcile_store.list_drawn_otherwise(tx),
                *await reconcile_store.list_unnoted_ends(tx),
            ]
        ]
    for one in found:
        log.error(
            "credits_drifted",
            merchant_id=merchant_id,
            drift=one.drift,
            grant_id=one.grant_id,
            line_id=one.line_id,
            want=str(one.want),
            got=str(one.got),
        )
    return found
