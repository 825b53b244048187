"""How much a definition grants for a period (CRD-3, CRD-5)."""

from __future__ import annotations

from decimal import Decimal

from candela_server.catalog.model import CreditBasis, CreditDefinition


def period_amount(definition: CreditDefinition, *, first: bool, seats: Decimal) -> Decimal:
    """The amount for the first period or for a later one; per-seat amounts are for all seats held then (DSL-9)."""
    amount = definition.default_amount if first else definition.refill_amount
    return amount * seats if definition.basis is CreditBasis.SEAT else amount
