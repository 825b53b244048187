"""What operators do from the command line besides serving: each command with connections of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from candela_server.billing.release_parked import release_parked
from candela_server.config import Settings
from candela_server.customer.model import CustomerId
from candela_server.importing.model import ImportOptions
from candela_server.importing.report import run_import
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import SystemClock
from candela_server.merchant.create_merchant import CreateMerchant
from candela_server.merchant.create_merchant import create_merchant as add_merchant
from candela_server.storage.migrate import Phase
from candela_server.storage.migrate import migrate as run_migrations
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read_schedule

HEALTH_TIMEOUT_S = 3.0
_T = TypeVar("_T")


def migrate(settings: Settings, *, phase: str) -> list[str]:
    """Brings the database to this release and says what was done."""
    done = run_migrations(settings.database_url.get_secret_value(), phase=Phase(phase))
    return [f"applied {name}" for name in done.applied] or ["nothing to do"]


def create_merchant(
    settings: Settings, *, name: str, mode: str, time_zone: str, currency: str
) -> dict[str, str]:
    """Adds a merchant and returns its id and keys."""

    async def add(db: Postgres) -> dict[str, str]:
        made = await add_merchant(
            db,
            SystemClock(),
            CreateMerchant(
                name=name, mode=Mode(mode), time_zone=time_zone, default_currency=currency
            ),
        )
        return {
            "merchant_id": made.merchant.id,
            "secret_key": made.secret.text,
            "publishable_key": made.publishable.text,
        }

    return asyncio.run(_with_database(settings, add))


def list_parked(settings: Settings) -> list[dict[str, str]]:
    """The subscriptions of all merchants that a safety bound has parked."""

    async def find(db: Postgres) -> list[dict[str, str]]:
        return [
            {
                "merchant_id": one.merchant_id,
                "customer_id": one.customer_id,
                "subscription_id": one.subscription_id,
                "parked_at": one.parked_at.isoformat(),
                "due_at": one.due_at.isoformat(),
            }
            for one in await read_schedule.list_parked_everywhere(db)
        ]

    return asyncio.run(_with_database(settings, find))


def release(settings: Settings, *, merchant_id: str, customer_id: str, reason: str) -> list[str]:
    """Lets a parked customer be billed again and returns which subscriptions that were."""

    async def act(db: Postgres) -> list[str]:
        async with db.writing(merchant_id) as tx:
            found = await release_parked(tx, SystemClock(), CustomerId(customer_id), reason=reason)
            return [*found]

    return asyncio.run(_with_database(settings, act))


async def _with_database(settings: Settings, act: Callable[[Postgres], Awaitable[_T]]) -> _T:
    """What an operator's command does with the database, on connections of its own."""
    db = Postgres(settings.database_url.get_secret_value(), SystemClock(), pool_size=2)
    await db.open()
    try:
        return await act(db)
    finally:
        await db.close()


def import_events(
    *,
    server: str,
    api_key: str,
    tls: bool | None,
    options: ImportOptions,
    quiet: bool,
    as_json: bool,
) -> int:
    """Imports a usage file into a running server: 0 when every row is decided and none was rejected (EVT-1)."""
    return run_import(
        server=server, api_key=api_key, tls=tls, options=options, quiet=quiet, as_json=as_json
    )


def health(address: str) -> int:
    """Asks a server whether it serves: 0 when it does."""
    with grpc.insecure_channel(address) as channel:
        try:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_TIMEOUT_S)
        except grpc.RpcError as error:
            print(f"candela: {address} does not answer: {error}", file=sys.stderr)
            return 1
    return int(answer.status != health_pb2.HealthCheckResponse.SERVING)
