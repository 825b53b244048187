"""Rates closed periods anew, one after the other, and finds what each owes or is owed (EVT-9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from candela_server.kernel.ids import new_id
from candela_server.subscription.model import Subscription

from .bill_periods import billed_period
from .billed_store import ClosedPeriod
from .model import BilledLine, InvoiceLine, LineId
from .paying_grants import paying
from .read_closed_periods import ClosedPeriods, to_bill
from .rules.late_draws import available, count_draws, is_of
from .rules.late_true_up import true_up_adjustments
from .rules.late_usage import LatePeriod, adjustment_of
from .rules.rate_invoice import InvoiceToRate


def adjustments_of(
    known: ClosedPeriods,
    held: Subscription,
    periods: Sequence[ClosedPeriod],
    billed: Sequence[BilledLine],
    voided: Sequence[InvoiceLine],
    due: Sequence[InvoiceLine],
    drawn: dict[str, Decimal],
) -> list[InvoiceLine]:
    """The adjustments of one subscription; each counts for those after it, and keeps `drawn` up to date."""
    made: list[InvoiceLine] = []
    before = [one.line for one in billed]
    for one in periods:
        own = [line for line in before if is_of(line, one.component_id, one.period)]
        others = [line for line in before if not is_of(line, one.component_id, one.period)]
        offer, wanted = known.offers[one], to_bill(one)
        then = known.context.held_at(held.id, one.period.start_at)
        invoice = InvoiceToRate(
            offer=offer,
            anchor_at=then.anchor_at,
            time_zone=held.time_zone,
            periods=[
                billed_period(
                    then,
                    offer,
                    wanted,
                    known.used[one],
                    [
                        replace(grant, balance=available(grant, known.good_for, own, drawn))
                        for grant in paying(known.context, wanted, offer)
                    ],
                    known.now,
                )
            ],
            earlier=[*others, *due, *made],
            same_tariff=known.context.same_tariff(held.id, offer.price),
        )
        adjustment = adjustment_of(
            LatePeriod(line_id=LineId(new_id("line")), invoice=invoice, billed=own)
        )
        if adjustment is not None:
            made.append(adjustment)
            count_draws(drawn, [adjustment])
    return [
        *made,
        *true_up_adjustments(
            offers=[known.offers[one] for one in periods],
            anchor_of=lambda period: known.context.held_at(held.id, period.start_at).anchor_at,
            time_zone=held.time_zone,
            before=[*before, *due],
            # A draft's true-up is made anew when it is finalized, and counts these adjustments then.
            final={one.line.id for one in billed if not one.is_draft},
            made=made,
            voided=voided,
            line_id=lambda: LineId(new_id("line")),
            cut={
                (one.offer.price.sold_as, one.committed.period)
                for one in known.context.cut_commitments(held.id)
            },
        ),
    ]
