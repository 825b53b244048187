"""What tests of the pipeline do with a shop: usage, time, runs, and reading what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from candela.metering.v1 import event_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.billing import credit_note_store, store
from candela_server.billing.create_credit_note import create_credit_note
from candela_server.billing.credit_note import CreditNote, CreditNoteReason, Purpose
from candela_server.billing.draw_up_credit_note import CreateCreditNote
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.mark_invoice_paid import MarkInvoicePaid, mark_invoice_paid
from candela_server.billing.model import Invoice, InvoiceId, InvoiceStatus, LineId
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.run_billing import run_billing
from candela_server.billing.void_invoice import void_invoice
from candela_server.credit import read as credit
from candela_server.customer.model import Customer, CustomerId
from candela_server.kernel.ids import new_id
from candela_server.kernel.money import Money
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.read_counters import Counters
from candela_server.storage.events import EventStore

from tests.helpers.selling import Shop

_EVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Books:
    """The accounts of one shop."""

    shop: Shop
    events: EventStore

    async def bill(self) -> None:
        """What the worker does every minute."""
        now = self.shop.clock.now()
        await finalize_due(self.shop.db, self.events, self.shop.merchant_id, now=now)
        await run_billing(self.shop.db, self.events, self.shop.merchant_id, now=now)

    async def bill_at(self, instant: datetime) -> None:
        """Moves the clock, and bills."""
        self.shop.clock.advance(instant)
        await self.bill()

    async def pass_grace(self) -> None:
        """Lets drafts of now be finalized."""
        await self.bill_at(self.shop.clock.now() + timedelta(hours=1))

    async def invoices(self, *statuses: InvoiceStatus) -> list[Invoice]:
        """All invoices, oldest first."""
        async with self.shop.db.reading(self.shop.merchant_id) as tx:
            return await store.page_invoices(
                tx,
                customer_id=None,
                subscription_id=None,
                statuses=list(statuses),
                limit=10_000,
                after=None,
            )

    async def invoice(self, invoice_id: InvoiceId) -> Invoice:
        """One invoice."""
        return next(one for one in await self.invoices() if one.id == invoice_id)

    async def notes(self) -> list[CreditNote]:
        """All credit notes, oldest first."""
        async with self.shop.db.reading(self.shop.merchant_id) as tx:
            return await credit_note_store.page_credit_notes(
                tx, invoice_id=None, limit=10_000, after=None
            )

    async def void(self, invoice: Invoice) -> Invoice:
        """Voids an invoice."""
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            return await void_invoice(tx, self.shop.clock, invoice.id, reason="a mistake")

    async def reissue(self, invoice: Invoice) -> tuple[Invoice, Invoice]:
        """Reissues an invoice."""
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            return await reissue_invoice(
                tx, self.events, self.shop.clock, invoice.id, reason="a mistake"
            )

    async def pay(self, invoice: Invoice, paid_at: datetime | None = None) -> Invoice:
        """Marks an invoice as paid outside."""
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            return await mark_invoice_paid(
                tx,
                self.shop.clock,
                MarkInvoicePaid(invoice_id=invoice.id, paid_at=paid_at, reference="wire 7"),
            )

    async def credit(
        self, invoice: Invoice, purpose: Purpose, lines: dict[LineId, str] | None = None
    ) -> CreditNote:
        """Makes a credit note; over all that is left without lines."""
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            return await create_credit_note(tx, self.shop.clock, note_of(invoice, purpose, lines))

    async def balances(self, customer: Customer) -> dict[str, Decimal]:
        """What is left of the customer's grants, by id."""
        async with self.shop.db.reading(self.shop.merchant_id) as tx:
            grants = await credit.list_grants_of_customers(
                tx, [CustomerId(customer.id)], until=_EVER
            )
        return {grant.id: grant.balance for grant in grants}

    async def audited(self, subject_id: str) -> Sequence[str]:
        """What was done with something, in order."""
        async with self.shop.db.reading(self.shop.merchant_id) as tx:
            rows = await tx.fetch(
                """
                SELECT action FROM audit_entry WHERE merchant_id = $1 AND subject_id = $2
                ORDER BY id
                """,
                self.shop.merchant_id,
                subject_id,
            )
        return [row["action"] for row in rows]

    async def use(
        self,
        customer: Customer,
        value: str,
        *,
        name: str = "premium-message",
        at: datetime | None = None,
    ) -> None:
        """Records usage of the present, or of an earlier instant."""
        directory = Directory(self.shop.db, self.shop.clock)
        counters = Counters(None, self.events, self.shop.clock)
        ingestor = Ingestor(self.shop.db, self.events, directory, counters, self.shop.clock)
        await ingestor.start()
        stamp = Timestamp()
        stamp.FromDatetime(at or self.shop.clock.now())
        sent = event_pb2.Event(
            idempotency_key=new_id("key"), name=name, customer_id=customer.id, value=value
        )
        sent.timestamp.CopyFrom(stamp)
        recorded = await ingestor.record(self.shop.merchant_id, [sent])
        await ingestor.stop()
        assert not recorded.rejections, recorded.rejections


def note_of(
    invoice: Invoice, purpose: Purpose, lines: dict[LineId, str] | None = None
) -> CreateCreditNote:
    """The command of a credit note."""
    return CreateCreditNote(
        invoice_id=invoice.id,
        lines={
            line_id: Money(currency=invoice.currency, amount=Decimal(amount))
            for line_id, amount in (lines or {}).items()
        },
        purpose=purpose,
        reason=CreditNoteReason.OTHER,
        memo="",
    )


async def sold(books: Books, name: str = "acme", seats: int = 5) -> tuple[Customer, Invoice]:
    """A customer with a finalized invoice of seats at $30."""
    customer = await books.shop.sign_up(name)
    held = await books.shop.subscribe(customer, seats)
    await books.bill()
    return customer, next(one for one in await books.invoices() if one.subscription_id == held.id)
