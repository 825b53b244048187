"""Answers gRPC for credit notes."""

from __future__ import annotations

import asyncio
from typing import Any

from candela.billing.v1 import credit_note_service_pb2 as pb
from candela.billing.v1 import credit_note_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import credit_note_store, credit_note_wire, read, wire
from .create_credit_note import create_credit_note
from .credit_note import CreditNoteId, CreditNoteNotFoundError
from .draw_up_credit_note import draw_up_credit_note
from .render_pdf import render_credit_note_pdf


class CreditNoteServicer(Room, credit_note_service_pb2_grpc.CreditNoteServiceServicer):
    """CreditNoteService (INV-6)."""

    async def PreviewCreditNote(
        self, request: pb.PreviewCreditNoteRequest, context: Any
    ) -> pb.PreviewCreditNoteResponse:
        """The note as it would be."""
        command = credit_note_wire.create_credit_note_from_proto(request)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            drawn_up = await draw_up_credit_note(tx, self._clock, command, lock=False)
        return pb.PreviewCreditNoteResponse(
            credit_note=credit_note_wire.credit_note_to_proto(drawn_up.note)
        )

    async def CreateCreditNote(
        self, request: pb.CreateCreditNoteRequest, context: Any
    ) -> pb.CreateCreditNoteResponse:
        """Makes a note."""
        command = credit_note_wire.create_credit_note_from_proto(request)

        async def act(tx: Tx) -> pb.CreateCreditNoteResponse:
            note = await create_credit_note(tx, self._clock, command)
            return pb.CreateCreditNoteResponse(
                credit_note=credit_note_wire.credit_note_to_proto(note)
            )

        return await self._mutations.run(request, pb.CreateCreditNoteResponse, act)

    async def GetCreditNote(
        self, request: pb.GetCreditNoteRequest, context: Any
    ) -> pb.GetCreditNoteResponse:
        """One note."""
        note_id = credit_note_wire.credit_note_id_from_proto(request.credit_note_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await credit_note_store.find_credit_note(tx, note_id)
        if found is None:
            raise CreditNoteNotFoundError(note_id)
        return pb.GetCreditNoteResponse(credit_note=credit_note_wire.credit_note_to_proto(found))

    async def ListCreditNotes(
        self, request: pb.ListCreditNotesRequest, context: Any
    ) -> pb.ListCreditNotesResponse:
        """One page of notes."""
        invoice_id = (
            wire.invoice_id_from_proto(request.invoice_id)
            if request.HasField("invoice_id")
            else None
        )
        scope, wanted = self.page("credit_notes", request, f"{invoice_id}")
        async with self._db.reading(scope.merchant_id) as tx:
            found = await credit_note_store.page_credit_notes(
                tx, invoice_id=invoice_id, limit=wanted.fetch_limit, after=wanted.after
            )
        page = make_page(scope, wanted, found, position, lambda note: len(note.lines))
        return pb.ListCreditNotesResponse(
            credit_notes=[credit_note_wire.credit_note_to_proto(note) for note in page.items],
            next_page_token=page.next_token,
        )

    async def pdf_of(self, merchant_id: str, note_id: CreditNoteId) -> bytes:
        """The PDF of one of the merchant's notes, for HTTP."""
        async with self._db.reading(merchant_id) as tx:
            note = await credit_note_store.find_credit_note(tx, note_id)
            if note is None:
                raise CreditNoteNotFoundError(note_id)
            invoice = await read.get_invoice(tx, note.invoice_id)
        return await asyncio.to_thread(render_credit_note_pdf, note, invoice)
