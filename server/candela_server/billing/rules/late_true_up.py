"""What late usage changes in true-ups that were billed: a commitment that it fills is not charged besides (DSL-10)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from datetime import datetime
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.catalog.model import Offer
from candela_server.catalog.price import PriceId
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact

from .commitment import (
    CommittedPeriod,
    committed_amount,
    counted_charges,
    left_to_reissues,
    missing,
)
from .words import dates_of

_ZERO = Decimal(0)


def true_up_adjustments(
    *,
    offers: Sequence[Offer],
    anchor_of: Callable[[Interval], datetime],
    time_zone: str,
    before: Sequence[InvoiceLine],
    final: Set[LineId],
    made: Sequence[InvoiceLine],
    line_id: Callable[[], LineId],
    voided: Sequence[InvoiceLine] = (),
    cut: Collection[tuple[PriceId, Interval]] = (),
) -> list[InvoiceLine]:
    """The lines that bring billed true-ups to what they would be with these adjustments; mostly none.

    `before` are the lines of all invoices but void ones, `voided` what those billed, and `final` the lines that cannot
    change any more. A period of a commitment without a true-up line cost its minimum already. Should a correction take
    so much back that it no longer does, the contract's promise stands on what was billed when the period was closed.
    `anchor_of` is what a period was counted from, which may lie before what periods are counted from now. `cut` are
    periods of prices within which the terms changed: what they come to is found with what changed (`cut_commitment`).
    """
    known = [*before, *made]
    known += left_to_reissues(voided, known)
    by_price = {offer.price.id: offer for offer in offers}
    found = []
    for line in before:
        offer = by_price.get(line.price_id) if line.price_id else None
        if line.kind is not LineKind.TRUE_UP or line.id not in final or offer is None:
            continue
        if (offer.price.sold_as, line.period) in cut:
            continue
        assert offer.price.minimum_commitment is not None, "it made the line"
        rule = offer.price.minimum_commitment.recurrence_in(time_zone)
        anchor_at = anchor_of(line.period)
        committed = CommittedPeriod(
            number=line.period_number,
            period=line.period,
            whole=rule.whole_period(anchor_at, line.period_number),
        )
        with exact():
            owed = missing(
                committed_amount(offer.price, committed, time_zone),
                counted_charges(
                    [offer.price],
                    line.period,
                    [one for one in known if one.period.start_at >= anchor_at],
                ),
            )
            billed = sum((one.amount for one in before if _is_of(one, line)), _ZERO)
            amount = owed - billed
        if amount:
            found.append(_adjusted(line, line_id(), amount, time_zone))
    return found


def _is_of(one: InvoiceLine, true_up: InvoiceLine) -> bool:
    return (
        one.component_id is None
        and one.price_id == true_up.price_id
        and one.period == true_up.period
        and one.kind in (LineKind.TRUE_UP, LineKind.ADJUSTMENT)
    )


def _adjusted(
    true_up: InvoiceLine, line_id: LineId, amount: Decimal, time_zone: str
) -> InvoiceLine:
    dates = dates_of(true_up.period, time_zone)
    return InvoiceLine(
        id=line_id,
        kind=LineKind.ADJUSTMENT,
        description=f"Minimum commitment after late usage, {dates}",
        quantity=Decimal(1),
        unit_name="",
        unit_amount=None,
        rated_amount=amount,
        amount=amount,
        component_id=None,
        price_id=true_up.price_id,
        plan_version_id=true_up.plan_version_id,
        metric_id=None,
        period_number=true_up.period_number,
        period=true_up.period,
        source_line_id=true_up.id,
        draws=(),
        usage_seen_at=None,
    )
