"""What a server process answers over HTTP: documents, public pages, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvicorn

from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.billing.credit_note_wire import credit_note_id_from_proto
from candela_server.billing.servicer import InvoiceServicer
from candela_server.billing.wire import invoice_id_from_proto
from candela_server.catalog.pricing_table_servicer import PricingTableServicer
from candela_server.config import Settings
from candela_server.edge.http.alerts import alerts
from candela_server.edge.http.app import RenderPdf, http_app
from candela_server.edge.http.counter_drift import counter_drift
from candela_server.edge.http.pricing_tables import pricing_table_routes
from candela_server.edge.services import Room
from candela_server.kernel.caller import Caller
from candela_server.merchant.authenticate import Authenticator
from candela_server.processes import HttpServer, shared_socket

from .storage import Storage

_Id = TypeVar("_Id", bound=str)


def start_http(
    settings: Settings, storage: Storage, authenticator: Authenticator, rooms: list[Room]
) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    """Serves from now on; the server is told to end by its `should_exit`, and the task ends when it has."""
    documents: dict[str, RenderPdf] = {}
    for room in rooms:
        if isinstance(room, InvoiceServicer):
            documents["invoices"] = _drawing(room.pdf_of, invoice_id_from_proto)
        if isinstance(room, CreditNoteServicer):
            documents["credit-notes"] = _drawing(room.pdf_of, credit_note_id_from_proto)
    tables = next((room for room in rooms if isinstance(room, PricingTableServicer)), None)

    async def is_ready() -> bool:
        try:
            async with storage.db.system() as tx:
                return bool(await tx.fetchval("SELECT true"))
        except Exception:
            return False

    async def all_alerts() -> bytes:
        return await alerts(storage.db) + await counter_drift(storage.counters)

    host, _, port = settings.http_address.rpartition(":")
    server = HttpServer(
        uvicorn.Config(
            http_app(
                authenticator,
                documents,
                is_ready,
                all_alerts,
                pricing_table_routes(authenticator, tables.show) if tables else (),
            ),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(settings.drain_s),
        )
    )
    sockets = [shared_socket(host.strip("[]"), int(port))]
    return server, asyncio.create_task(server.serve(sockets=sockets))


def _drawing(
    draw: Callable[[str, _Id], Awaitable[bytes]], read_id: Callable[[str], _Id]
) -> RenderPdf:
    """How HTTP gets a document of the caller's by the id in its path."""

    async def render_pdf(caller: Caller, document_id: str) -> bytes:
        return await draw(caller.merchant_id, read_id(document_id))

    return render_pdf
