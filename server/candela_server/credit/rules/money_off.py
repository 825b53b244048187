"""Which charges of an invoice monetary credit pays for (CRD-8, CRD-2).

After all charges, discounts, adjustments and true-ups, and before tax: what credit takes off is not taxed. A grant pays
for a charge of its scope if it had begun when the invoice is made and had not ended when the charge's period began. So
what is left of a period's credit still pays for the usage of that period, which is invoiced after it, and nothing that
lapsed pays for what comes later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditDefinition, CreditDefinitionId, CreditScope
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.kernel.currency import minor_digits
from candela_server.kernel.money import exact

from .waterfall import in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What one charge still asks for, in whole minor units, and where it belongs."""

    line_id: str
    amount: Decimal
    subscription_id: str
    plan_id: str
    price_id: str
    component_id: str | None
    begins_at: datetime


@dataclass(frozen=True, slots=True)
class MoneyOff:
    """What one grant pays of one charge."""

    grant_id: GrantId
    line_id: str
    amount: Decimal


def money_off(
    grants: Sequence[CreditGrant],
    definitions: Mapping[CreditDefinitionId, CreditDefinition],
    owed: Sequence[Owed],
    *,
    currency: str,
    made_at: datetime,
) -> list[MoneyOff]:
    """What grants pay of an invoice's charges, in the order of drawing; no charge falls below zero.

    Grants in another currency pay nothing: Candela never converts (D27). Parts of a minor unit stay in the grant.
    """
    left = {one.line_id: one.amount for one in owed}
    unit = Decimal(1).scaleb(-minor_digits(currency))
    taken = []
    for grant in in_order(grants):
        if grant.currency != currency or made_at < grant.effective_at or grant.balance <= 0:
            continue
        definition = definitions.get(grant.definition_id) if grant.definition_id else None
        with exact():
            balance = grant.balance - grant.balance % unit
        for one in owed:
            part = min(balance, left[one.line_id])
            if part > 0 and _pays(grant, definition, one):
                balance -= part
                left[one.line_id] -= part
                taken.append(MoneyOff(grant.id, one.line_id, part))
    return taken


def _pays(grant: CreditGrant, definition: CreditDefinition | None, one: Owed) -> bool:
    if grant.expires_at is not None and grant.expires_at <= one.begins_at:
        return False
    if grant.scope is CreditScope.MERCHANT:
        return True
    if grant.subscription_id != one.subscription_id or definition is None:
        return False
    if grant.scope is CreditScope.COMPONENT:
        return grant.component_id == one.component_id
    if grant.scope is CreditScope.PRICE and definition.price_id is not None:
        return definition.price_id == one.price_id
    return definition.plan_id in (None, one.plan_id)
