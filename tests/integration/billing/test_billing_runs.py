"""Runs that people start, customers whom the safety bound parked, and merchants who fail (INV-1)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from candela.billing.v1 import billing_run_pb2
from candela.billing.v1 import billing_run_service_pb2 as pb

from candela_server.billing.billing_run import BillingRunId
from candela_server.billing.billing_run_servicer import BillingRunServicer
from candela_server.billing.carry_out_billing_run import carry_out_billing_run
from candela_server.billing.pass_by_failures import RETRY_AFTER
from candela_server.billing.release_parked import release_parked
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read_schedule
from candela_server.worker.merchant_jobs import bill_everything_due

from tests.helpers.acting import acting_as
from tests.helpers.billing import Books
from tests.helpers.selling import Shop
from tests.helpers.waiting import PATIENCE_S


def servicer_of(books: Books) -> BillingRunServicer:
    shop = books.shop
    return BillingRunServicer(shop.db, Mutations(shop.db, shop.clock), shop.clock, b"secret")


@pytest.mark.spec("INV-1", "AUD-2")
async def test_started_run__bills_what_is_due_and_says_what_it_did(books: Books) -> None:
    servicer, shop = servicer_of(books), books.shop
    await shop.subscribe(await shop.sign_up("acme"), 1)
    await shop.subscribe(await shop.sign_up("globex"), 1)
    with acting_as(shop.merchant_id, "StartBillingRun"):
        request = pb.StartBillingRunRequest(idempotency_key="k")
        started = (await servicer.StartBillingRun(request, None)).billing_run
        again = (await servicer.StartBillingRun(request, None)).billing_run
        run_id = BillingRunId(started.id)
        for _ in range(2):  # a job may be run again
            await carry_out_billing_run(shop.db, books.events, shop.clock, shop.merchant_id, run_id)
        got = await servicer.GetBillingRun(pb.GetBillingRunRequest(billing_run_id=run_id), None)
        listed = await servicer.ListBillingRuns(pb.ListBillingRunsRequest(), None)

    assert (started.status, again) == (billing_run_pb2.BILLING_RUN_STATUS_RUNNING, started)
    run = got.billing_run
    assert run.status == billing_run_pb2.BILLING_RUN_STATUS_DONE
    assert (run.subscription_count, run.invoice_count, run.parked_count) == (2, 2, 0)
    assert list(listed.billing_runs) == [run]
    assert len(await books.invoices()) == 2


@pytest.mark.spec("INV-1")
async def test_unknown_run__is_a_wrong_field(books: Books) -> None:
    with acting_as(books.shop.merchant_id), pytest.raises(InvalidInput, match="no billing run"):
        await servicer_of(books).GetBillingRun(
            pb.GetBillingRunRequest(billing_run_id=new_id("run")), None
        )


@pytest.mark.spec("INV-1")
async def test_parked_customer__is_seen_and_billed_again_once_released(books: Books) -> None:
    shop = books.shop
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)
    await books.bill_at(datetime(2027, 12, 1, tzinfo=UTC))  # 23 periods are due at once
    async with shop.db.reading(shop.merchant_id) as tx:
        parked = await read_schedule.list_parked(tx)
    await books.bill()
    stopped = len(await books.invoices())

    async with shop.db.writing(shop.merchant_id) as tx:
        released = await release_parked(tx, shop.clock, customer.id, reason="it slept, is fine")
    await books.bill()
    async with shop.db.writing(shop.merchant_id) as tx:
        left = await release_parked(tx, shop.clock, customer.id, reason="nothing to do")

    assert [(one.customer_id, one.subscription_id) for one in parked] == [(customer.id, held.id)]
    assert stopped == 15
    assert released == [held.id]
    assert len(await books.invoices()) == 23  # and 8 more do not reach the bound of 15
    assert left == []
    assert (await books.audited(held.id))[-2:] == ["subscription.parked", "subscription.released"]


@pytest.mark.spec("INV-1")
async def test_operator__sees_and_releases_parked_customers_by_command(
    books: Books, postgres_dsn: str
) -> None:
    shop = books.shop
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)
    await books.bill_at(datetime(2027, 12, 1, tzinfo=UTC))

    async def candela(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "candela_server", "parked", *arguments],
            env={**os.environ, "CANDELA_DATABASE_URL": postgres_dsn},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    listed = await candela("list", "--json")
    released = await candela("release", shop.merchant_id, customer.id, "--reason", "it is fine")
    again = await candela("release", shop.merchant_id, customer.id, "--reason", "it is fine")

    own = [one for one in json.loads(listed.stdout) if one["merchant_id"] == shop.merchant_id]
    assert [(one["customer_id"], one["subscription_id"]) for one in own] == [(customer.id, held.id)]
    assert (released.returncode, released.stdout) == (0, f"{held.id} is billed again\n")
    assert (again.returncode, again.stderr) == (1, f"candela: nothing of {customer.id} is parked\n")


@pytest.mark.spec("INV-1")
async def test_merchant_who_fails__does_not_stop_the_others_and_is_tried_again(
    own_database: str, clock: FixedClock
) -> None:
    db, events = Postgres(own_database, clock), EventStore(own_database)
    await db.open()
    await events.open()
    shops = []
    for name in ("First", "Second", "Third"):
        made = await create_merchant(db, clock, CreateMerchant(name=name, mode=Mode.LIVE))
        shop = Shop(db, clock, made.merchant.id)
        await shop.sell_team_plan()
        await shop.subscribe(await shop.sign_up("acme"), 1)
        shops.append(shop)
    broken = sorted(shops, key=lambda shop: shop.merchant_id)[0]

    async def counts() -> list[int]:
        return [len(await Books(shop, events).invoices()) for shop in shops]

    async def set_bound(value: int | None) -> None:
        async with db.writing(broken.merchant_id) as tx:
            await tx.execute(
                "UPDATE merchant SET settings = settings || $2 WHERE merchant_id = $1",
                broken.merchant_id,
                {"max_invoices_per_customer_per_day": value},
            )

    await set_bound(None)  # what the pipeline cannot compare with
    await bill_everything_due(db, events, clock)
    first = await counts()
    await set_bound(15)
    clock.advance(clock.now() + RETRY_AFTER)
    await bill_everything_due(db, events, clock)
    second = await counts()
    await events.close()
    await db.close()

    assert sorted(first) == [0, 1, 1]
    assert second == [1, 1, 1]
