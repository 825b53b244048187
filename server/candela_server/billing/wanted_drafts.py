"""Says what an invoice that was made already bills, so that it can be rated again: a draft, or one that is reissued.

By the price and the quantities that it was made with, whatever the subscription changed to since (INV-3, INV-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentKind, PriceId
from candela_server.storage.postgres import Tx

from .bill_periods import Context, PeriodToBill, WantedInvoice
from .model import Invoice, InvoiceLine, LineKind

_RATED: Final = frozenset({LineKind.RECURRING, LineKind.USAGE})
"""The lines that say which periods an invoice bills; the others follow from them, or stay."""

FOLLOWING: Final = frozenset({LineKind.ADJUSTMENT, LineKind.PRORATION})
"""The lines that are differences to what was billed before: they stay as they were made."""


async def wanted_of(
    tx: Tx, context: Context, invoices: Sequence[Invoice]
) -> list[list[WantedInvoice]]:
    """What each invoice bills, in their order, apart for each price; adjustments of other periods are no part of it."""
    made = [_by_price(one) for one in invoices]
    keys = {
        lines[0].price_id: (lines[0].plan_version_id, lines[0].price_id)
        for one, prices in zip(invoices, made, strict=True)
        for lines in prices.values()
        if lines[0].price_id != context.offers[one.subscription_id].price.id
    }
    old = await catalog.get_offers(tx, list(keys.values()))
    wanted = []
    for one, prices in zip(invoices, made, strict=True):
        now = context.offers[one.subscription_id]
        wanted.append(
            [
                _wanted(one, lines, old[keys[price_id]] if price_id in keys else now)
                for price_id, lines in prices.items()
            ]
            or [_wanted(one, [], now)]
        )
    return wanted


def _by_price(invoice: Invoice) -> dict[PriceId, list[InvoiceLine]]:
    """The lines that say what the invoice bills and by which price; mostly there is one."""
    found: dict[PriceId, list[InvoiceLine]] = {}
    for line in invoice.lines:
        if line.kind not in FOLLOWING:
            found.setdefault(line.price_id, []).append(line)
    return found


def _wanted(invoice: Invoice, lines: Sequence[InvoiceLine], offer: Offer) -> WantedInvoice:
    return WantedInvoice(
        subscription_id=invoice.subscription_id,
        periods=[
            _period_of(invoice, line, offer)
            for line in lines
            if line.component_id is not None and line.kind in _RATED
        ],
        id=invoice.id,
        offer=offer,
        true_up_at=next(
            (line.period.end_at for line in lines if line.kind is LineKind.TRUE_UP), None
        ),
    )


def _period_of(invoice: Invoice, line: InvoiceLine, offer: Offer) -> PeriodToBill:
    assert line.component_id is not None, "selected by it"
    component = offer.price.component(line.component_id)
    held = None
    if component.kind is ComponentKind.PER_UNIT:
        held = line.quantity + (component.seats.included_seats if component.seats else 0)
    return PeriodToBill(
        subscription_id=invoice.subscription_id,
        component_id=line.component_id,
        number=line.period_number,
        period=line.period,
        held=held,
    )
