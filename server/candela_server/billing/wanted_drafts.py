"""Says what an invoice that was made already bills, so that it can be rated again: a draft, or one that is reissued.

By the price and the quantities that it was made with, whatever the subscription changed to since (INV-3, INV-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer, PlanVersionId
from candela_server.catalog.price import ComponentKind, PriceId
from candela_server.storage.postgres import Tx

from .bill_periods import Context, PeriodToBill, WantedInvoice
from .model import Invoice, InvoiceLine, LineKind

OfferKey = tuple[PlanVersionId, PriceId]

_RATED: Final = frozenset({LineKind.RECURRING, LineKind.USAGE})
"""The lines that say which periods an invoice bills; the others follow from them, or stay."""


async def wanted_of(tx: Tx, context: Context, invoices: Sequence[Invoice]) -> list[WantedInvoice]:
    """What each invoice bills, in their order; adjustments of other periods are no part of it."""
    offers = await _offers_of(tx, context, invoices)
    return [
        WantedInvoice(
            subscription_id=one.of_subscription,
            periods=[
                _period_of(one, line, offer)
                for line in one.lines
                if line.component_id is not None and line.kind in _RATED
            ],
            id=one.id,
            offer=offer,
            true_up_at=next(
                (line.period.end_at for line in one.lines if line.kind is LineKind.TRUE_UP), None
            ),
        )
        for one, offer in zip(invoices, offers, strict=True)
    ]


async def _offers_of(tx: Tx, context: Context, invoices: Sequence[Invoice]) -> list[Offer]:
    """What each invoice was made by: mostly what its subscription still holds."""
    keys: list[OfferKey | None] = []
    for one in invoices:
        now = context.offers[one.of_subscription]
        made = next((line for line in one.lines if line.kind is not LineKind.ADJUSTMENT), None)
        if made and made.plan_version_id and made.price_id and made.price_id != now.price.id:
            keys.append((made.plan_version_id, made.price_id))
        else:
            keys.append(None)
    old = await catalog.get_offers(tx, [key for key in keys if key is not None])
    return [
        context.offers[one.of_subscription] if key is None else old[key]
        for one, key in zip(invoices, keys, strict=True)
    ]


def _period_of(invoice: Invoice, line: InvoiceLine, offer: Offer) -> PeriodToBill:
    assert line.component_id is not None, "selected by it"
    component = offer.price.component(line.component_id)
    held = None
    if component.kind is ComponentKind.PER_UNIT:
        held = line.quantity + (component.seats.included_seats if component.seats else 0)
    return PeriodToBill(
        subscription_id=invoice.of_subscription,
        component_id=line.component_id,
        number=line.period_number,
        period=line.period,
        held=held,
    )
