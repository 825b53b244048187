"""Grants of a definition that begin at one instant are numbered, so that each is granted once (CRD-5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from candela_server.catalog.model import CreditDefinitionId
from candela_server.credit.model import CreditGrant


def next_ordinal(
    grants: Iterable[CreditGrant], definition_id: CreditDefinitionId | None, at: datetime
) -> int:
    """The number of a further grant of the definition that begins at `at`, beside all that the subscription has."""
    taken = [
        one.ordinal
        for one in grants
        if one.definition_id == definition_id and one.effective_at == at
    ]
    return max(taken, default=-1) + 1
