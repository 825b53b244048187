"""One whom the pipeline cannot bill stops nobody else, and is billed once what was wrong is mended (INV-1, INV-2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from candela.catalog.v1 import metric_pb2
from prometheus_client.parser import text_string_to_metric_families

from candela_server.billing import billing_run_store, failure_store
from candela_server.billing.carry_out_billing_run import carry_out_billing_run
from candela_server.billing.failure_store import BillingFailure, Work
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.pass_by_failures import Attempt, Passing
from candela_server.billing.start_billing_run import start_billing_run
from candela_server.customer.model import Customer
from candela_server.edge.http.alerts import alerts
from candela_server.storage.events import EventStoreUnavailableError
from candela_server.storage.postgres import Tx

from tests.helpers.market import Market, calls, flat

MIDDLE = datetime(2026, 2, 14, 15, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 28, 15, tzinfo=UTC)
GRACE = timedelta(hours=1)
_FAILING = "candela_billing_failures['subscription']"
OVERFLOWING = f"SELECT sum({' * '.join(['value'] * 60)}) FROM events"


@pytest.fixture
async def crowd(market: Market) -> list[Customer]:
    """Seven customers with a call each, counted by a query that larger numbers than 1 are too much for."""
    await market.sell(
        calls(flat("1")), metric=metric_pb2.NewMetric(sql=metric_pb2.SqlMetric(query=OVERFLOWING))
    )
    customers = [await market.subscribe() for _ in range(7)]
    market.clock.advance(MIDDLE)
    for customer in customers:
        await market.use(customer, "1", MIDDLE)
    return customers


async def gauges(market: Market) -> dict[str, float]:
    """What an operator is shown, of all merchants: other tests leave some parked."""
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families((await alerts(market.db)).decode())
        for sample in family.samples
    }


async def failures(market: Market, work: Work) -> list[BillingFailure]:
    async with market.db.reading(market.merchant_id) as tx:
        return await failure_store.list_failures(tx, work)


@pytest.mark.spec("INV-1", "INV-2", "EVT-6")
async def test_query_that_fails_for_one_customer__bills_the_others_and_that_one_once_it_is_mended(
    market: Market, crowd: list[Customer]
) -> None:
    wrong = await market.use(crowd[3], "300", MIDDLE)
    before = await gauges(market)
    made = await market.bill(FEBRUARY)
    [failed] = await failures(market, Work.SUBSCRIPTION)
    alerted = await gauges(market)
    passed_by = await market.bill(FEBRUARY + timedelta(minutes=4))
    [untried] = await failures(market, Work.SUBSCRIPTION)
    await market.bill(FEBRUARY + timedelta(minutes=5))
    [again] = await failures(market, Work.SUBSCRIPTION)
    await market.take_back(wrong)
    await market.bill(FEBRUARY + timedelta(minutes=14))
    still = await market.invoices()
    mended = await market.bill(FEBRUARY + timedelta(minutes=15))

    assert (made, passed_by, mended) == (6, 0, 1)
    assert "SqlMetricResultError" in failed.failure
    assert failed.retry_at - failed.failed_at == timedelta(minutes=5)
    assert untried == failed
    assert (again.attempts, again.retry_at) == (2, FEBRUARY + timedelta(minutes=15))
    assert len(still) == 6
    assert await failures(market, Work.SUBSCRIPTION) == []
    before[_FAILING] = before.get(_FAILING, 0) + 1
    assert alerted == before
    invoices = await market.invoices()
    assert sorted(one.customer_id for one in invoices) == sorted(one.id for one in crowd)
    assert [f"{one.total:.2f}" for one in invoices] == ["1.00"] * 7


@pytest.mark.spec("INV-1", "INV-3")
async def test_draft_that_cannot_be_rated_again__is_left_while_the_others_are_finalized(
    market: Market, crowd: list[Customer]
) -> None:
    await market.bill(FEBRUARY)
    wrong = await market.use(crowd[3], "300", MIDDLE)
    now = FEBRUARY + GRACE
    done = await finalize_due(market.db, market.events, market.merchant_id, now=now)
    [failed] = await failures(market, Work.DRAFT)
    await market.take_back(wrong)
    later = failed.retry_at
    mended = await finalize_due(market.db, market.events, market.merchant_id, now=later)

    assert (done.count, list(done.failures)) == (6, [failed.subject_id])
    assert (mended.count, mended.failures) == (1, {})
    assert await failures(market, Work.DRAFT) == []
    assert sorted(one.number or "" for one in await market.invoices()) == [
        f"INV-{ordinal:06}" for ordinal in range(1, 8)
    ]


@pytest.mark.spec("INV-1")
async def test_run_that_a_person_starts__tries_at_once_what_failed_and_says_what_fails_still(
    market: Market, crowd: list[Customer]
) -> None:
    wrong = await market.use(crowd[3], "300", MIDDLE)
    await market.bill(FEBRUARY)
    runs = []
    for mended in (False, True):
        if mended:
            await market.take_back(wrong)
        async with market.db.writing(market.merchant_id) as tx:
            run = await start_billing_run(tx, market.clock)
        await carry_out_billing_run(
            market.db, market.events, market.clock, market.merchant_id, run.id
        )
        async with market.db.reading(market.merchant_id) as tx:
            runs.append(await billing_run_store.find_run(tx, run.id))

    assert [one and one.status for one in runs] == ["failed", "done"]
    assert runs[0]
    assert "everything else was done" in runs[0].failure
    assert [one and one.invoice_count for one in runs] == [0, 1]


@pytest.mark.spec("INV-1")
async def test_outage_and_fault_of_all__are_nobodys_failure(market: Market) -> None:
    passing = Passing(
        market.db,
        market.merchant_id,
        Work.SUBSCRIPTION,
        now=FEBRUARY,
        chunk=8,
        passes_by=True,
        again=False,
    )
    names = [f"sub_{number:03}" for number in range(1000)]

    async def outage(_tx: Tx, attempt: Attempt) -> int:
        attempt.took = names[:1]
        raise EventStoreUnavailableError

    async def broken(_tx: Tx, attempt: Attempt) -> int:
        left = [one for one in names if one not in attempt.passing_by]
        attempt.took = left[: attempt.limit]
        raise RuntimeError("the release is broken")

    with pytest.raises(EventStoreUnavailableError):
        await passing.do(outage)
    untouched = await failures(market, Work.SUBSCRIPTION)
    with pytest.raises(RuntimeError):
        await passing.do(broken)

    assert untouched == []
    assert len(await failures(market, Work.SUBSCRIPTION)) == 100
