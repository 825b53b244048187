"""Says what an invoice that was made already bills, so that it can be rated again: a draft, or one that is reissued.

By the price and the quantities that it was made with, whatever the subscription changed to since (INV-3, INV-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentKind, PriceId
from candela_server.catalog.read import OfferKey
from candela_server.storage.postgres import Tx

from .billing_context import Context
from .model import Invoice, InvoiceLine, LineKind
from .wanted_invoice import PeriodToBill, WantedInvoice

_RATED: Final = frozenset({LineKind.RECURRING, LineKind.USAGE})
"""The lines that say which periods an invoice bills; the others follow from them, or stay."""

FOLLOWING: Final = frozenset({LineKind.ADJUSTMENT, LineKind.PRORATION, LineKind.THRESHOLD})
"""The lines that are differences to what was billed before: they stay as they were made."""

_UNRATED: Final = FOLLOWING | {LineKind.MONETARY_CREDIT}


async def wanted_of(
    tx: Tx, context: Context, invoices: Sequence[Invoice]
) -> list[list[WantedInvoice]]:
    """What each invoice bills, in their order, apart for each price; adjustments of other periods are no part of it."""
    made = [_by_price(one) for one in invoices]
    old = await catalog.get_offers(
        tx,
        [
            key
            for one, prices in zip(invoices, made, strict=True)
            for key in prices
            if key[1] != context.offers[one.of_subscription].price.id
        ],
    )
    wanted = []
    for one, prices in zip(invoices, made, strict=True):
        now = context.offers[one.of_subscription]
        wanted.append(
            [
                _wanted(one, lines, now if key[1] == now.price.id else old[key])
                for key, lines in prices.items()
            ]
            or [_wanted(one, [], now)]
        )
    return wanted


def _by_price(invoice: Invoice) -> dict[OfferKey, list[InvoiceLine]]:
    """The lines that say what the invoice bills, by the price and the first plan version of it; mostly there is one."""
    keys: dict[PriceId, OfferKey] = {}
    found: dict[OfferKey, list[InvoiceLine]] = {}
    for line in invoice.lines:
        if line.kind not in _UNRATED and line.price_id and line.plan_version_id:
            key = keys.setdefault(line.price_id, (line.plan_version_id, line.price_id))
            found.setdefault(key, []).append(line)
    return found


def _wanted(invoice: Invoice, lines: Sequence[InvoiceLine], offer: Offer) -> WantedInvoice:
    return WantedInvoice(
        subscription_id=invoice.of_subscription,
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
        subscription_id=invoice.of_subscription,
        component_id=line.component_id,
        number=line.period_number,
        period=line.period,
        held=held,
    )
