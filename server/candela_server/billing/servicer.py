"""Answers gRPC for invoices."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from candela.billing.v1 import invoice_service_pb2 as pb
from candela.billing.v1 import invoice_service_pb2_grpc

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import TokenScope, make_page, read_page_request
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import correction_store, read, store, wire
from .finalize_invoices import finalize_invoice
from .mark_invoice_paid import mark_invoice_paid
from .model import InvoiceId
from .reissue_invoice import reissue_invoice
from .render_pdf import render_pdf
from .void_invoice import void_invoice
from .write_off_invoice import write_off_invoice


class InvoiceServicer(invoice_service_pb2_grpc.InvoiceServiceServicer):
    """InvoiceService (INV-1 to INV-7)."""

    def __init__(
        self,
        db: Postgres,
        events: EventStore,
        mutations: Mutations,
        clock: Clock,
        page_secret: bytes,
    ) -> None:
        """Takes what it reads from, writes through, and tells time by."""
        self._db = db
        self._events = events
        self._mutations = mutations
        self._clock = clock
        self._page_secret = page_secret

    async def GetInvoice(
        self, request: pb.GetInvoiceRequest, context: Any
    ) -> pb.GetInvoiceResponse:
        """One invoice."""
        invoice_id = wire.invoice_id_from_proto(request.invoice_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            invoice = await read.get_invoice(tx, invoice_id)
        return pb.GetInvoiceResponse(invoice=wire.invoice_to_proto(invoice))

    async def ListInvoices(
        self, request: pb.ListInvoicesRequest, context: Any
    ) -> pb.ListInvoicesResponse:
        """One page of invoices."""
        with FieldViolations() as fields:
            ref = (
                fields.read("customer", customer_ref_from_proto, request.customer)
                if request.HasField("customer")
                else None
            )
        statuses = wire.statuses_from_proto(request.statuses)
        scope = TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name="invoices",
            filter=f"{ref!r}:{request.subscription_id}:{statuses!r}",
        )
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            holder = await customer.get_customer(tx, ref) if ref else None
            found = await store.page_invoices(
                tx,
                customer_id=holder.id if holder else None,
                subscription_id=request.subscription_id or None,
                statuses=statuses,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(
            scope, wanted, found, lambda one: (one.created_at, one.id), lambda one: len(one.lines)
        )
        return pb.ListInvoicesResponse(
            invoices=[wire.invoice_to_proto(invoice) for invoice in page.items],
            next_page_token=page.next_token,
        )

    async def RenderInvoicePdf(
        self, request: pb.RenderInvoicePdfRequest, context: Any
    ) -> pb.RenderInvoicePdfResponse:
        """A finalized invoice as PDF."""
        invoice_id = wire.invoice_id_from_proto(request.invoice_id)
        pdf = await self.pdf_of(current_caller.get().merchant_id, invoice_id)
        return pb.RenderInvoicePdfResponse(pdf=pdf, sha256=hashlib.sha256(pdf).hexdigest())

    async def FinalizeInvoice(
        self, request: pb.FinalizeInvoiceRequest, context: Any
    ) -> pb.FinalizeInvoiceResponse:
        """Ends a draft's grace at once."""
        invoice_id = wire.invoice_id_from_proto(request.invoice_id)

        async def act(tx: Tx) -> pb.FinalizeInvoiceResponse:
            draft = await read.get_invoice(tx, invoice_id)
            holder = await customer.get_customer(tx, CustomerById(draft.customer_id))
            clock = await customer.customer_clock(tx, self._clock, holder)
            invoice = await finalize_invoice(tx, self._events, invoice_id, now=clock.now())
            return pb.FinalizeInvoiceResponse(invoice=wire.invoice_to_proto(invoice))

        return await self._mutations.run(request, pb.FinalizeInvoiceResponse, act)

    async def VoidInvoice(
        self, request: pb.VoidInvoiceRequest, context: Any
    ) -> pb.VoidInvoiceResponse:
        """Declares an unpaid invoice never to have been."""
        invoice_id, reason = wire.invoice_act_from_proto(request)

        async def act(tx: Tx) -> pb.VoidInvoiceResponse:
            invoice = await void_invoice(tx, self._clock, invoice_id, reason=reason)
            return pb.VoidInvoiceResponse(invoice=wire.invoice_to_proto(invoice))

        return await self._mutations.run(request, pb.VoidInvoiceResponse, act)

    async def ReissueInvoice(
        self, request: pb.ReissueInvoiceRequest, context: Any
    ) -> pb.ReissueInvoiceResponse:
        """Voids an invoice and makes a new draft of its periods."""
        invoice_id, reason = wire.invoice_act_from_proto(request)

        async def act(tx: Tx) -> pb.ReissueInvoiceResponse:
            voided, draft = await reissue_invoice(
                tx, self._events, self._clock, invoice_id, reason=reason
            )
            return pb.ReissueInvoiceResponse(
                voided=wire.invoice_to_proto(voided), draft=wire.invoice_to_proto(draft)
            )

        return await self._mutations.run(request, pb.ReissueInvoiceResponse, act)

    async def MarkInvoicePaid(
        self, request: pb.MarkInvoicePaidRequest, context: Any
    ) -> pb.MarkInvoicePaidResponse:
        """Records that an invoice was paid outside."""
        command = wire.mark_paid_from_proto(request)

        async def act(tx: Tx) -> pb.MarkInvoicePaidResponse:
            invoice = await mark_invoice_paid(tx, self._clock, command)
            return pb.MarkInvoicePaidResponse(invoice=wire.invoice_to_proto(invoice))

        return await self._mutations.run(request, pb.MarkInvoicePaidResponse, act)

    async def WriteOffInvoice(
        self, request: pb.WriteOffInvoiceRequest, context: Any
    ) -> pb.WriteOffInvoiceResponse:
        """Gives an unpaid invoice up."""
        invoice_id, reason = wire.invoice_act_from_proto(request)

        async def act(tx: Tx) -> pb.WriteOffInvoiceResponse:
            invoice = await write_off_invoice(tx, self._clock, invoice_id, reason=reason)
            return pb.WriteOffInvoiceResponse(invoice=wire.invoice_to_proto(invoice))

        return await self._mutations.run(request, pb.WriteOffInvoiceResponse, act)

    async def pdf_of(self, merchant_id: str, invoice_id: InvoiceId) -> bytes:
        """The PDF of one of the merchant's invoices; also what HTTP serves."""
        async with self._db.reading(merchant_id) as tx:
            invoice = await read.get_invoice(tx, invoice_id)
            paid = await correction_store.sum_first_draws(tx, invoice_id)
        return await asyncio.to_thread(render_pdf, invoice, from_account=paid)
