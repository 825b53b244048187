"""Commitments that changes cut, for pure tests: who held which price since when, and what was charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.rules.cut_commitment import CutCommitment, Terms
from candela_server.billing.rules.find_cut_commitments import cut_commitments
from candela_server.billing.rules.settle_cut_commitment import Settlement, settlement
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentId, ComponentKind, MinimumCommitment, PriceId
from candela_server.kernel.interval import Interval

from .builders import component, offer, price


def offer_at_least(
    name: str,
    amount: str | None,
    *,
    rule: str = "FREQ=MONTHLY",
    currency: str = "USD",
    varies: str | None = None,
) -> Offer:
    """A price with one usage component, and a commitment when an amount is given."""
    usage = replace(component(ComponentKind.USAGE, "1"), id=ComponentId(f"calls of {name}"))
    made = replace(
        price(usage, currency=currency),
        id=PriceId(name),
        varies=PriceId(varies) if varies else None,
        minimum_commitment=MinimumCommitment(amount=Decimal(amount), recurrence_rule=rule)
        if amount is not None
        else None,
    )
    return offer(made)


def terms(
    since: datetime, held: Offer | None, anchor_at: datetime, *, prorated: bool = True
) -> Terms:
    """What is held from then on; None for a pause or an end."""
    return Terms(since=since, offer=held, anchor_at=anchor_at, prorated=prorated)


def charge(of: Offer, amount: Decimal, period: Interval, *, name: str = "line") -> InvoiceLine:
    """Usage of a price that was billed."""
    return InvoiceLine(
        id=LineId(name),
        kind=LineKind.USAGE,
        description="",
        quantity=amount,
        unit_name="",
        unit_amount=None,
        rated_amount=amount,
        amount=amount,
        component_id=of.price.components[0].id,
        price_id=of.price.id,
        plan_version_id=of.version.id,
        metric_id=None,
        period_number=0,
        period=period,
        source_line_id=None,
        draws=(),
        usage_seen_at=None,
    )


def billed_as(one: CutCommitment, found: Settlement, number: int) -> InvoiceLine:
    """The line that a settlement becomes."""
    line = charge(one.offer, found.amount, one.committed.period, name=f"true-up {number}")
    kind = LineKind.TRUE_UP if found.is_first else LineKind.ADJUSTMENT
    return replace(line, kind=kind, component_id=None)


def settle(
    history: Sequence[Terms], lines: Sequence[InvoiceLine], time_zone: str = "UTC"
) -> Mapping[tuple[str, int], Settlement]:
    """What each cut commitment asks for, by price and period."""
    return {
        (one.offer.price.sold_as, one.committed.number): found
        for one in cut_commitments(history, time_zone)
        if (found := settlement(one, history, lines, time_zone=time_zone)) is not None
    }
