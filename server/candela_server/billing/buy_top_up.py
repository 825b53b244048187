"""Sells a pack of credits: an invoice now, and credit that can be used once it is paid (CRD-9)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, CreditScope, Feature
from candela_server.catalog.refs import ById, Ref
from candela_server.credit.grant_by_hand import check_span, usage_feature
from candela_server.credit.model import CreditGrant, Funding, GrantId
from candela_server.credit.new_grant import order_grant
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, format_decimal
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import store, tax_store, top_up_store
from .billing_context import Context
from .finalize_invoices import finalized
from .model import Invoice, InvoiceId, InvoiceLine, InvoiceStatus, LineId, LineKind, TaxTerms
from .rules.tax import NO_TAX, NOT_CONFIGURED
from .rules.tax_amount import taxed
from .settle_top_up import invoice_paid
from .top_up import TopUp, TopUpId, TopUpPendingError, TopUpStatus

_SOLD_ON: Final = timedelta(days=1)
"""The span that the line of a pack which never expires names: the day of its sale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpCredits:
    """Who buys how much of what at which price. `feature` None: money, in the price's currency."""

    customer: CustomerRef
    feature: Ref | None
    amount: Decimal
    price: Money
    expires_at: datetime | None
    automatic: bool = False


async def top_up_credits(
    tx: Tx, clock: Clock, command: TopUpCredits
) -> tuple[CreditGrant, Invoice]:
    """The grant, which holds nothing until the invoice is paid, and the invoice.

    Paid, it covers usage from the order on. It belongs to no plan, so no renewal touches it. Raises
    CustomerNotFoundError, CustomerArchivedError, FeatureNotFoundError, TopUpPendingError, and InvalidInput for a
    feature that is not metered and an expiry that has passed.
    """
    # Locked, so that of two orders at once the second finds the first.
    holder = await customer.get_customer_in_business(tx, command.customer, lock=True)
    now = (await customer.customer_clock(tx, clock, holder)).now()
    feature = await usage_feature(tx, command.feature) if command.feature else None
    check_span(now, command.expires_at, now)
    pending = await top_up_store.find_pending(tx, holder.id)
    if pending is not None:
        raise TopUpPendingError(pending.invoice_id)
    grant = _grant(holder, feature, command, now)
    await order_grant(tx, grant)
    unit = await _unit_of(tx, feature)
    seller = await merchant.get_merchant(tx)
    context = Context(
        subscriptions={},
        offers={},
        ever_held={},
        customers={holder.id: holder},
        grants={},
        histories={},
        tax_settings=await tax_store.get_tax_settings(tx),
    )
    draft = taxed(_invoice(holder, feature, unit, command, now), holder, context.tax_settings)
    [invoice] = await finalized(tx, seller, context, [draft], now)
    await store.insert_invoices(tx, [invoice])
    ordered = TopUp(
        id=TopUpId(new_id("topup")),
        customer_id=holder.id,
        invoice_id=invoice.id,
        grant_id=grant.id,
        feature_id=feature.id if feature else None,
        automatic=command.automatic,
        status=TopUpStatus.PENDING,
        created_at=now,
        ended_at=None,
    )
    await top_up_store.insert_top_up(tx, ordered)
    await tx.audit(
        "top_up.ordered",
        ordered.id,
        after={
            "customer_id": holder.id,
            "feature_id": ordered.feature_id,
            "amount": command.amount,
            "price": command.price.text,
            "currency": command.price.currency,
            "invoice_id": invoice.id,
            "grant_id": grant.id,
            "automatic": command.automatic,
        },
    )
    if invoice.status is InvoiceStatus.PAID:
        # Credit on the customer's account has paid it.
        await invoice_paid(tx, invoice, now)
        grant = replace(grant, balance=grant.amount)
    return grant, invoice


def _grant(
    holder: Customer, feature: Feature | None, command: TopUpCredits, now: datetime
) -> CreditGrant:
    return CreditGrant(
        id=GrantId(new_id("grant")),
        customer_id=holder.id,
        subscription_id=None,
        definition_id=None,
        application_type=CreditApplicationType.USAGE if feature else CreditApplicationType.MONETARY,
        scope=CreditScope.MERCHANT,
        feature_id=feature.id if feature else None,
        metric_id=feature.metric_id if feature else None,
        component_id=None,
        currency=None if feature else command.price.currency,
        amount=command.amount,
        balance=Decimal(0),
        effective_at=now,
        expires_at=command.expires_at,
        priority=0,
        funding=Funding.PAID,
        billing_visible=True,
        reason="",
        created_at=now,
        cost_basis=command.price,
    )


async def _unit_of(tx: Tx, feature: Feature | None) -> str:
    if feature is None or feature.metric_id is None:
        return ""
    return (await catalog.get_metric(tx, ById(feature.metric_id))).unit_name


def _invoice(
    holder: Customer, feature: Feature | None, unit: str, command: TopUpCredits, now: datetime
) -> Invoice:
    price = command.price
    name = f"{feature.name}" if feature else f"Credit in {price.currency}"
    line = InvoiceLine(
        id=LineId(new_id("line")),
        kind=LineKind.TOP_UP,
        description=f"{name}: {format_decimal(command.amount)} prepaid",
        quantity=command.amount,
        unit_name=unit,
        unit_amount=None,
        rated_amount=price.amount,
        amount=price.amount,
        component_id=None,
        price_id=None,
        plan_version_id=None,
        metric_id=feature.metric_id if feature else None,
        period_number=0,
        period=Interval(now, command.expires_at or now + _SOLD_ON),
        source_line_id=None,
        draws=(),
        usage_seen_at=None,
    )
    return Invoice(
        id=InvoiceId(new_id("inv")),
        number=None,
        customer_id=holder.id,
        subscription_id=None,
        test_clock_id=holder.test_clock_id,
        status=InvoiceStatus.DRAFT,
        currency=price.currency,
        time_zone=holder.time_zone,
        lines=(line,),
        tax=TaxTerms(percent=NO_TAX, reason=NOT_CONFIGURED),
        tax_amount=NO_TAX,
        amount_due=price.amount,
        created_at=now,
        finalizes_at=now,
        finalized_at=None,
        due_at=None,
        ended_at=None,
        seller=None,
        buyer=None,
    )
