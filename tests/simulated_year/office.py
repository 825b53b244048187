"""What is done on Candela with invoices and credit: paid, voided, reissued, corrected; given and bought."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from candela_server.billing import credit_note_store, store, top_up_store
from candela_server.billing.auto_top_up import UpdateAutoTopUp, update_auto_top_up
from candela_server.billing.buy_top_up import TopUpCredits, top_up_credits
from candela_server.billing.create_credit_note import create_credit_note
from candela_server.billing.credit_note import CreditNoteReason, Purpose
from candela_server.billing.draw_up_credit_note import CreateCreditNote
from candela_server.billing.mark_invoice_paid import MarkInvoicePaid, mark_invoice_paid
from candela_server.billing.model import (
    Invoice,
    InvoiceId,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTransitionRefusedError,
    LineKind,
)
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice
from candela_server.catalog.model import CreditApplicationType
from candela_server.catalog.refs import BySlug
from candela_server.credit.grant_by_hand import GrantCredits, grant_by_hand
from candela_server.credit.model import Funding
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.currency import minor_digits
from candela_server.kernel.money import Money
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from .happening import (
    BuyPack,
    CreditNote,
    GiveMoney,
    GiveUsage,
    Operation,
    Pay,
    PayPack,
    PayTopUp,
    Reissue,
    SetTopUp,
    VoidInvoice,
    VoidTopUp,
)
from .sold import Sold

_OF_PERIOD = (LineKind.RECURRING, LineKind.PRORATION)


@dataclass(slots=True, kw_only=True)
class Office:
    """Acts for the merchant; `packs` are the invoices of packs by subscription."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    merchant_id: str
    packs: dict[str, InvoiceId] = field(default_factory=dict)
    topped_up: dict[str, str] = field(default_factory=dict)
    """Whose packs are bought by themselves, by customers' ids, with the subscription that they are for."""

    async def act(
        self, one: Operation, customer: Customer, subscription_id: str, plan: Sold
    ) -> bool:
        """Does it; answers whether it could be done."""
        async with self.db.writing(self.merchant_id) as tx:
            match one:
                case GiveMoney():
                    await self._give(tx, customer, one.amount, currency=plan.currency)
                case GiveUsage():
                    await self._give(tx, customer, one.amount, feature=one.plan)
                case BuyPack():
                    await self._buy(tx, one, customer)
                case PayPack():
                    return await self._pay(tx, self.packs[one.subscription])
                case SetTopUp():
                    await self._set_top_up(tx, one, customer)
                case PayTopUp() | VoidTopUp():
                    return await self._with_top_up(tx, one, customer)
                case _:
                    return await self._with_last(tx, one, subscription_id)
        return True

    async def _give(
        self,
        tx: Tx,
        customer: Customer,
        amount: Decimal,
        *,
        currency: str | None = None,
        feature: Sold | None = None,
    ) -> None:
        kind = CreditApplicationType.MONETARY if currency else CreditApplicationType.USAGE
        await grant_by_hand(
            tx,
            self.clock,
            GrantCredits(
                customer=CustomerById(customer.id),
                application_type=kind,
                feature=BySlug(f"used-{feature.slug}") if feature else None,
                currency=currency,
                amount=amount,
                effective_at=None,
                expires_at=None,
                priority=0,
                funding=Funding.FREE,
                reason="a simulated year",
            ),
        )

    async def _buy(self, tx: Tx, one: BuyPack, customer: Customer) -> None:
        _, invoice = await top_up_credits(
            tx,
            self.clock,
            TopUpCredits(
                customer=CustomerById(customer.id),
                feature=None if one.money else BySlug(f"used-{one.plan.slug}"),
                amount=one.amount,
                price=Money(currency=one.plan.currency, amount=one.price),
                expires_at=None,
            ),
        )
        self.packs[one.subscription] = invoice.id

    async def _set_top_up(self, tx: Tx, one: SetTopUp, customer: Customer) -> None:
        await update_auto_top_up(
            tx,
            self.clock,
            UpdateAutoTopUp(
                customer=CustomerById(customer.id),
                feature=None if one.money else BySlug(f"used-{one.plan.slug}"),
                enabled=one.enabled,
                threshold=one.threshold,
                amount=one.amount,
                price=Money(currency=one.plan.currency, amount=one.price),
                monthly_cap_count=one.monthly_cap,
            ),
        )
        self.topped_up[customer.id] = one.subscription

    async def _with_top_up(self, tx: Tx, one: Operation, customer: Customer) -> bool:
        waiting = await top_up_store.find_pending(tx, customer.id)
        if waiting is None:
            return False
        if isinstance(one, PayTopUp):
            return await self._pay(tx, waiting.invoice_id)
        await void_invoice(tx, self.clock, waiting.invoice_id, reason="a simulated year")
        return True

    async def _pay(self, tx: Tx, invoice_id: InvoiceId) -> bool:
        found = await store.find_invoice(tx, invoice_id)
        if found is None or found.status is not InvoiceStatus.FINALIZED:
            return False
        await mark_invoice_paid(
            tx, self.clock, MarkInvoicePaid(invoice_id=invoice_id, paid_at=None, reference="")
        )
        return True

    async def _with_last(self, tx: Tx, one: Operation, subscription_id: str) -> bool:
        last = await self._last(tx, subscription_id)
        if last is None:
            return False
        try:
            match one:
                case Pay():
                    return await self._pay(tx, last.id)
                case VoidInvoice():
                    await void_invoice(tx, self.clock, last.id, reason="a simulated year")
                case Reissue():
                    await reissue_invoice(
                        tx, self.events, self.clock, last.id, reason="a simulated year"
                    )
                case CreditNote():
                    return await self._correct(tx, last)
        except InvoiceTransitionRefusedError:
            return False
        return True

    async def _last(self, tx: Tx, subscription_id: str) -> Invoice | None:
        found = await store.page_invoices(
            tx,
            customer_id=None,
            subscription_id=subscription_id,
            statuses=[],
            limit=1000,
            after=None,
        )
        return found[-1] if found else None

    async def _correct(self, tx: Tx, last: Invoice) -> bool:
        line = _dearest(last)
        if line is None or await credit_note_store.count_credit_notes(tx, last.id):
            return False
        unit = Decimal(1).scaleb(-minor_digits(last.currency))
        amount = (line[1] * 2 / 5).quantize(unit, "ROUND_HALF_UP")
        if not amount:
            return False
        paid = last.status is InvoiceStatus.PAID
        await create_credit_note(
            tx,
            self.clock,
            CreateCreditNote(
                invoice_id=last.id,
                lines={line[0].id: Money(currency=last.currency, amount=amount)},
                purpose=Purpose.CREDIT_BALANCE if paid else Purpose.REDUCE_DUE,
                reason=CreditNoteReason.OTHER,
                memo="",
            ),
        )
        return True


def _dearest(last: Invoice) -> tuple[InvoiceLine, Decimal] | None:
    """The dearest thing that an invoice charges, and its amount; None where something else makes it less."""
    if last.status not in (InvoiceStatus.FINALIZED, InvoiceStatus.PAID):
        return None
    if last.amount_due != (last.total if last.status is InvoiceStatus.FINALIZED else 0):
        return None
    less = (LineKind.ADJUSTMENT, LineKind.PRORATION, LineKind.MONETARY_CREDIT)
    if any(line.kind in less and line.amount < 0 for line in last.lines):
        return None
    held = [
        (
            line,
            sum(
                (
                    other.amount
                    for other in last.lines
                    if other.kind in _OF_PERIOD
                    and (other.component_id, other.period) == (line.component_id, line.period)
                ),
                Decimal(0),
            ),
        )
        for line in last.lines
        if line.kind is LineKind.RECURRING
    ]
    return max(held, key=lambda pair: (pair[1], -pair[0].period.start_at.timestamp()), default=None)
