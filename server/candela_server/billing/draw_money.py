"""Takes monetary credit off invoices: after their charges, before their tax (CRD-8).

Looking posts nothing, so that drafts and previews show what would be taken; the draws are posted when an invoice is
finalized, from lines that were made again under the grants' locks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditDefinition, CreditDefinitionId
from candela_server.catalog.price import Price, PriceId
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant, Funding, GrantId
from candela_server.credit.rules.money_off import MoneyOff, Owed, money_off
from candela_server.customer.model import CustomerId
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription

from . import correction_store
from .model import InvoiceLine, LineId, LineKind
from .rules.credited import left_of_lines

_ZERO = Decimal(0)
_NAMES = {
    Funding.PROMOTION: "Promotional credit",
    Funding.PAID: "Prepaid credit",
}


@dataclass(frozen=True, slots=True)
class Charges:
    """The lines of one subscription's invoice before monetary credit."""

    held: Subscription
    lines: Sequence[InvoiceLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What will be otherwise by the time of a preview: what other drafts will take, and grants yet to be made."""

    spoken_for: Mapping[GrantId, Decimal] = field(default_factory=dict)
    coming: Sequence[CreditGrant] = ()


async def with_monetary_credits(
    tx: Tx,
    invoices: Sequence[Charges],
    *,
    made_at: datetime,
    outlook: Outlook | None = None,
) -> list[list[InvoiceLine]]:
    """The lines of each invoice, in their order, with a negative line for each grant that pays of it.

    What one invoice takes is gone for those after it. Nobody else draws from these grants until commit, unless this is
    only an outlook.
    """
    made = [list(one.lines) for one in invoices]
    holders = sorted({one.held.customer_id for one in invoices if one.lines})
    ahead = outlook or Outlook()
    grants = [*await _usable(tx, holders, made_at, lock=outlook is None), *ahead.coming]
    if not grants:
        return made
    ids = sorted({grant.definition_id for grant in grants if grant.definition_id})
    definitions = await catalog.get_credit_definitions(tx, ids)
    prices = await catalog.get_prices(
        tx, sorted({line.price_id for some in made for line in some if line.price_id})
    )
    left = {grant.id: grant.balance - ahead.spoken_for.get(grant.id, _ZERO) for grant in grants}
    by_holder: defaultdict[CustomerId, list[CreditGrant]] = defaultdict(list)
    for grant in grants:
        by_holder[grant.customer_id].append(grant)
    for index, one in enumerate(invoices):
        paying = [
            replace(grant, balance=left[grant.id]) for grant in by_holder[one.held.customer_id]
        ]
        taken = money_off(
            paying,
            definitions,
            _owed(one, prices),
            currency=one.held.currency,
            made_at=made_at,
        )
        for draw in taken:
            left[draw.grant_id] -= draw.amount
        made[index] += _lines(one, paying, definitions, taken)
    return made


async def _usable(
    tx: Tx, holders: Sequence[CustomerId], made_at: datetime, *, lock: bool
) -> list[CreditGrant]:
    """The monetary grants with something left; those of credit notes pay whole invoices after their tax instead."""
    found = await credit.list_monetary_grants(tx, holders, until=made_at) if holders else []
    if not found:
        return []
    accounts = await correction_store.list_account_grants(tx, holders)
    of_accounts = {grant_id for some in accounts.values() for grant_id in some}
    usable = [grant for grant in found if grant.id not in of_accounts]
    if lock:
        # Read again once nobody else can change them.
        usable = await credit.get_grants(tx, [grant.id for grant in usable], lock=True)
    ends = await credit.list_ends(tx, [grant.id for grant in usable])
    return [replace(grant, expires_at=ends.get(grant.id, grant.expires_at)) for grant in usable]


def _owed(one: Charges, prices: Mapping[PriceId, Price]) -> list[Owed]:
    left = left_of_lines(one.held.currency, one.lines)
    return [
        Owed(
            line_id=line.id,
            amount=left[line.id],
            subscription_id=one.held.id,
            plan_id=prices[line.price_id].plan_id,
            price_id=prices[line.price_id].sold_as,
            component_id=prices[line.price_id].component(line.component_id).sold_as
            if line.component_id
            else None,
            begins_at=line.period.start_at,
        )
        for line in one.lines
        if line.id in left and line.price_id is not None
    ]


def _lines(
    one: Charges,
    grants: Sequence[CreditGrant],
    definitions: Mapping[CreditDefinitionId, CreditDefinition],
    taken: Sequence[MoneyOff],
) -> list[InvoiceLine]:
    """A line for each grant that pays; one that pays for a single charge says for which."""
    charges = {line.id: line for line in one.lines}
    by_grant: defaultdict[GrantId, list[MoneyOff]] = defaultdict(list)
    for draw in taken:
        by_grant[draw.grant_id].append(draw)
    found = {grant.id: grant for grant in grants}
    lines = []
    for grant_id, draws in by_grant.items():
        grant = found[grant_id]
        first = charges[LineId(draws[0].line_id)]
        amount = sum((draw.amount for draw in draws), _ZERO)
        single = len(draws) == 1
        name = (
            definitions[grant.definition_id].name
            if grant.definition_id
            else _NAMES.get(grant.funding, "Credit")
        )
        lines.append(
            InvoiceLine(
                id=LineId(new_id("line")),
                kind=LineKind.MONETARY_CREDIT,
                description=name,
                quantity=Decimal(1),
                unit_name="",
                unit_amount=None,
                rated_amount=-amount,
                amount=-amount,
                component_id=first.component_id if single else None,
                price_id=first.price_id,
                plan_version_id=first.plan_version_id,
                metric_id=None,
                period_number=first.period_number,
                period=first.period,
                source_line_id=first.id if single else None,
                draws=(grant.draw(amount),),
                usage_seen_at=None,
            )
        )
    return lines
