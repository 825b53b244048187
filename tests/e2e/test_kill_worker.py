"""kill -9 of workers at random moments of a billing run: every period is billed once, and right (INV-2, INV-4).

The moments are seeded. Nothing is simulated: what is killed are processes that do what the worker does every minute, on
1,200 subscriptions, until they were killed often enough and nothing is due any more. Run by one worker, and by two at
once, each of which is killed. The months are billed once more in another database, by a worker that nobody disturbs:
the invoices of both are the same, to the last byte.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from candela_server.billing import store
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.postgres import Postgres

from demo.crowd import copy_customer, put_usage
from tests.helpers.databases import TestDatabases
from tests.helpers.forked_biller import ForkedBiller
from tests.helpers.invoice_texts import invoice_texts
from tests.helpers.selling import Shop

_SEED = 20260210
_SUBSCRIPTIONS = 1_200
_KILLS = 20
_SEATS = (1, 2, 3, 4, 5)
_USED = 2_500
"""Of premium and of cheap messages, in every month."""
_START = datetime(2026, 1, 10, 9, 30, tzinfo=UTC)
_GRACE = timedelta(hours=1)
_DEADLINE_S = 900.0
_LONGEST_S = 1.0


@dataclass(slots=True)
class Murders:
    """Workers that are begun again and again, and killed at random moments."""

    url: str
    billers: list[ForkedBiller]
    killed: Counter[int] = field(default_factory=Counter)

    def run(self, now: datetime, *, kills: int) -> None:
        """Bills what is due at an instant, with so many kills of every worker if there is time for them."""
        threads = [
            threading.Thread(target=self._keep_killing, args=(number, now, kills))
            for number in range(len(self.billers))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _keep_killing(self, number: int, now: datetime, kills: int) -> None:
        moments = random.Random(_SEED + 1000 * number + self.killed[number])
        deadline = time.monotonic() + _DEADLINE_S
        longest_s = _LONGEST_S
        biller = self.billers[number]
        while self.is_due(now) and time.monotonic() < deadline:
            process_id = biller.begin(now)
            if self.killed[number] < kills:
                time.sleep(moments.uniform(0, longest_s))
                with suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
            if biller.wait() == -signal.SIGKILL:
                self.killed[number] += 1
            else:
                # It was done before; on a fast machine kills come sooner.
                longest_s /= 2

    def is_due(self, now: datetime) -> bool:
        """Whether anything is to be billed or finalized."""
        with psycopg.connect(self.url) as database:
            [found] = database.execute(
                """
                SELECT EXISTS (SELECT FROM component_schedule WHERE due_at <= %(now)s AND parked_at IS NULL)
                    OR EXISTS (SELECT FROM invoice WHERE status = 'draft' AND finalizes_at <= %(now)s)
                """,
                {"now": now},
            ).fetchone() or (False,)
        return bool(found)


@contextmanager
def _billers(url: str, redis_url: str, folder: Path, count: int) -> Iterator[list[ForkedBiller]]:
    environment = {
        "PATH": os.environ["PATH"],
        "CANDELA_DATABASE_URL": url,
        "CANDELA_REDIS_URL": redis_url,
    }
    folder.mkdir()
    begun = [ForkedBiller(environment, folder / f"{number}.log") for number in range(count)]
    try:
        yield begun
    finally:
        for biller in begun:
            biller.end()


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def murders(
    request: pytest.FixtureRequest, own_database: str, redis_url: str, tmp_path: Path
) -> Iterator[Murders]:
    """Workers on a database of their own."""
    with _billers(own_database, redis_url, tmp_path / "loud", request.param) as billers:
        yield Murders(own_database, billers)


@pytest.fixture
def quiet(databases: TestDatabases, redis_url: str, tmp_path: Path) -> Iterator[Murders]:
    """A worker on another database that nobody kills."""
    with (
        databases.migrated() as url,
        _billers(url, redis_url, tmp_path / "quiet", 1) as billers,
    ):
        yield Murders(url, billers)


async def _sell(url: str) -> str:
    """The plan Team to 1,200 customers with one to five seats; answers the merchant's id."""
    clock = FixedClock(_START)
    db = Postgres(url, clock)
    await db.open()
    made = await create_merchant(db, clock, CreateMerchant(name="Kills", mode=Mode.LIVE))
    shop = Shop(db, clock, made.merchant.id)
    await shop.sell_team_plan()
    each = _SUBSCRIPTIONS // len(_SEATS)
    with psycopg.connect(url, autocommit=True) as database:
        for seats in _SEATS:
            customer = await shop.sign_up(f"{seats} seats")
            await shop.subscribe(customer, seats)
            copy_customer(database, shop.merchant_id, customer.id, each - 1)
    await db.close()
    return shop.merchant_id


def _month(number: int) -> datetime:
    """When a period begins: at 4:30 in New York on the 10th, an hour earlier in UTC after 8 March."""
    summer = timedelta(hours=1) if number >= 2 else timedelta()
    return datetime(2026, 1 + number, 10, 9, 30, tzinfo=UTC) - summer


def _expected(seats: int, month: int) -> Decimal:
    """Seats of the month that begins, and the messages of the one before beyond what its seats brought."""
    total = Decimal(30) * seats
    if month:
        total += max(0, _USED - 100 * seats) * Decimal("0.20")
        total += max(0, _USED - 1000 * seats) * Decimal("0.02")
    return total


async def _bill_month(workers: Murders, merchant_id: str, number: int, *, kills: int) -> None:
    """What is due when a month begins, and when its drafts' grace is over; usage of the month is there before."""
    now = _month(number)
    with psycopg.connect(workers.url, autocommit=True) as database:
        put_usage(database, merchant_id, now + timedelta(days=3, minutes=-now.minute), _USED)
    await asyncio.to_thread(workers.run, now, kills=kills if number else kills // 2)
    await asyncio.to_thread(workers.run, now + _GRACE, kills=kills)
    assert not workers.is_due(now + _GRACE), "not done in time"


async def _texts(url: str, merchant_id: str) -> Counter[str]:
    """Every invoice as a text."""
    db = Postgres(url, FixedClock(_START))
    await db.open()
    async with db.reading(merchant_id) as tx:
        rows = await tx.fetch(
            "SELECT id, external_id FROM customer WHERE merchant_id = $1", merchant_id
        )
        invoices = await store.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=100_000, after=None
        )
    await db.close()
    return invoice_texts({row["id"]: row["external_id"] for row in rows}, invoices)


@pytest.mark.spec("INV-1", "INV-2", "INV-4", "CRD-4", "CRD-5")
async def test_workers_killed_at_random__write_every_invoice_of_a_quiet_run_once(
    murders: Murders, quiet: Murders
) -> None:
    merchant_id = await _sell(murders.url)
    months = 0
    # The first month bills seats only; usage and credits come with the second.
    while months < 2 or min(murders.killed[n] for n in range(len(murders.billers))) < _KILLS:
        assert months < 6, f"only {dict(murders.killed)} were killed before everything was done"
        await _bill_month(murders, merchant_id, months, kills=_KILLS)
        months += 1
    undisturbed = await _sell(quiet.url)
    for number in range(months):
        await _bill_month(quiet, undisturbed, number, kills=0)

    assert await _texts(murders.url, merchant_id) == await _texts(quiet.url, undisturbed)
    with psycopg.connect(murders.url) as database:
        found = database.execute(
            """
            SELECT i.subscription_id, max(r.period_number), c.external_id, i.total, i.status
            FROM invoice i JOIN customer c ON c.merchant_id = i.merchant_id AND c.id = i.customer_id
            JOIN invoice_line r ON r.invoice_id = i.id AND r.kind = 'recurring'
            GROUP BY i.id, i.subscription_id, c.external_id, i.total, i.status
            """
        ).fetchall()
        numbers = [row[0] for row in database.execute("SELECT number FROM invoice").fetchall()]
        unbalanced = database.execute(
            """
            SELECT grant_id FROM credit_transaction GROUP BY grant_id
            HAVING sum(amount) < 0 OR count(*) FILTER (WHERE kind = 'grant') <> 1
                OR count(*) FILTER (WHERE kind = 'draw') > 1
            """
        ).fetchall()
        audited = database.execute(
            "SELECT count(*), count(DISTINCT subject_id) FROM audit_entry WHERE action = 'invoice.created'"
        ).fetchone()
    assert len(found) == len({(one[0], one[1]) for one in found}) == months * _SUBSCRIPTIONS
    wrong = [
        one
        for one in found
        if one[3] != _expected(int(one[2].partition(" ")[0]), one[1]) or one[4] != "finalized"
    ]
    assert wrong == []
    assert sorted(numbers) == [f"INV-{n:06d}" for n in range(1, months * _SUBSCRIPTIONS + 1)]
    assert unbalanced == []
    assert audited == (months * _SUBSCRIPTIONS, months * _SUBSCRIPTIONS)
