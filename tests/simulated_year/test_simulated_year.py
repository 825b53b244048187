"""A year of random customers, day by day, against a model that was written from the specification: to the cent.

CANDELA_YEAR_CUSTOMERS   how many customers live the year, and half as many others that live wider; 20 unless told
CANDELA_YEAR_FIRST       the number of the first of them, so that many can live in several runs; 0 unless told
CANDELA_YEAR_LIVES       "usual" or "wider" for one kind of them only: so many of it then
CANDELA_YEAR_SEED        which ones
CANDELA_YEAR_PLANS       of their subscriptions only those that begin with one of these plans, by slug; all unless told
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.integration.metering.builders import start_metering
from tests.simulated_year.commitments import is_cut
from tests.simulated_year.days import BEGIN, ticks
from tests.simulated_year.desk import Desk
from tests.simulated_year.happening import KINDS, Life, Operation
from tests.simulated_year.lifecycle import lives
from tests.simulated_year.model import live
from tests.simulated_year.office import Office
from tests.simulated_year.stage import Stage
from tests.simulated_year.story import difference_of, story
from tests.simulated_year.wider import wider_lives

_CUSTOMERS = int(os.environ.get("CANDELA_YEAR_CUSTOMERS", "20"))
_SEED = int(os.environ.get("CANDELA_YEAR_SEED", "5"))
_FIRST = int(os.environ.get("CANDELA_YEAR_FIRST", "0"))
_LIVES = os.environ.get("CANDELA_YEAR_LIVES", "")
_PLANS = os.environ.get("CANDELA_YEAR_PLANS", "").split()
_ON_A_CLOCK = 250


@pytest_asyncio.fixture(loop_scope="session")
async def stage(db: Postgres, events: EventStore, redis: Redis) -> AsyncIterator[Stage]:
    clock = FixedClock(BEGIN)
    made = await create_merchant(db, clock, CreateMerchant(name="Year", mode=Mode.TEST))
    metering = await start_metering(db, events, clock, redis, made.merchant.id)
    merchant_id = made.merchant.id
    desk = Desk(db=db, events=events, clock=clock, merchant_id=merchant_id)
    office = Office(db=db, events=events, clock=clock, merchant_id=merchant_id)
    stage = Stage(
        db=db,
        events=events,
        clock=clock,
        metering=metering,
        merchant_id=merchant_id,
        desk=desk,
        office=office,
    )
    await stage.open()
    await metering.fill()
    yield stage
    await metering.ingestor.stop()
    await metering.counters.stop()


def _everybody() -> list[Life]:
    match _LIVES:
        case "usual":
            return lives(_SEED, _CUSTOMERS, _FIRST)
        case "wider":
            return wider_lives(_SEED, _CUSTOMERS, _FIRST)
    first, end = _FIRST // 2, (_FIRST + _CUSTOMERS) // 2
    return lives(_SEED, _CUSTOMERS, _FIRST) + wider_lives(_SEED, end - first, first)


async def _live(stage: Stage, some: list[Life]) -> None:
    await stage.gather(some)
    for now in ticks():
        await stage.tick(now, some)


@pytest.mark.spec("INV-1", "INV-2", "INV-6", "INV-7", "INV-8", "DSL-3", "DSL-5", "DSL-7", "OPS-2")
@pytest.mark.spec("EVT-9", "CRD-5", "CRD-8", "CRD-9", "CRD-10", "TAX-1", "TAX-2", "TRL-2", "SEAT-1")
@pytest.mark.spec(
    "SEAT-2", "SEAT-3", "SEAT-4", "SUB-4", "SUB-5", "SUB-6", "SUB-7", "CRD-3", "DSL-10"
)
async def test_year_of_random_customers__every_invoice_is_what_the_model_says(
    stage: Stage,
) -> None:
    everybody = _everybody()
    if _PLANS:
        everybody = [some for one in everybody if (some := one.with_plans(_PLANS)).operations]
    for first in range(0, len(everybody), _ON_A_CLOCK):
        await _live(stage, everybody[first : first + _ON_A_CLOCK])

    made = await stage.invoices()
    end = ticks()[-1]
    differences = []
    compared = ahead = cut = brought = 0
    done: Counter[type[Operation]] = Counter()
    total = Decimal(0)
    for life in everybody:
        household = live(life, end)
        done.update(type(one) for one in life.operations if one not in household.refused)
        cut += sum(
            line.charge.is_commitment and is_cut(one.history, line.charge)
            for one in household.accounts.values()
            for made_up in one.invoices
            for line in made_up.lines
        )
        brought += sum(
            household.money[number].account is not None
            for one in household.accounts.values()
            for made_off in one.invoices
            for number in made_off.off
        )
        refused = household.refused, stage.refused[life.name]
        if refused[0] != refused[1]:
            differences.append(f"{life.name}: refused {refused[1]}, expected {refused[0]}")
        expected = {name: one.invoices for name, one in household.accounts.items()}
        expected |= {f"pack:{name}": [one.invoice] for name, one in household.packs.items()}
        if household.setting is not None:
            top_ups = [one.invoice for one in household.top_ups]
            expected[f"top-up:{household.setting.subscription}"] = top_ups
        for name, invoices in expected.items():
            # One that is still in its grace has not seen all of its usage.
            want = [one for one in invoices if one.status != "draft"]
            got = [one for one in made[name] if one.number]
            compared += len(want)
            ahead += sum(one.is_ahead for one in want)
            total += sum((one.total for one in want), Decimal(0))
            different = difference_of(want, got)
            if different is not None:
                differences.append(story(life, name, want, got, different))
    print(f"{compared} invoices of {len(everybody)} customers, {total} in all")
    assert not differences, "\n\n".join(differences)
    if not _PLANS:
        assert compared > 3 * len(everybody)
    if _FIRST == 0 and _CUSTOMERS >= 20 and not (_LIVES or _PLANS):
        assert ahead > _CUSTOMERS, "usage hardly ever reached a threshold"
        assert cut, "no change cut a commitment"
        assert brought, "no plan brought money off its charges"
        assert {one.__name__ for one in KINDS - set(done)} == set(), "nobody did this"
