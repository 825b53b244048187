"""How often a public pricing table is read when a crowd, or somebody with bad intentions, asks for it (PUB-1)."""

from __future__ import annotations

import asyncio

import pytest
from candela.catalog.v1 import pricing_table_pb2

from candela_server.catalog.pricing_table import PricingTableNotFoundError
from candela_server.catalog.shown_tables import (
    READINGS_PER_S,
    ShownTables,
    TooManyPublicReadsError,
)

CROWD = 500


class Tables:
    """A database with one table, which counts who reads it."""

    def __init__(self) -> None:
        self.readings = 0
        self.gone = False

    async def read(self, merchant_id: str, slug: str) -> pricing_table_pb2.PublicPricingTable:
        self.readings += 1
        await asyncio.sleep(0)
        if slug != "pricing" or self.gone:
            raise PricingTableNotFoundError(slug)
        return pricing_table_pb2.PublicPricingTable(slug=f"{merchant_id}/{slug}/{self.readings}")


@pytest.mark.spec("PUB-1")
async def test_crowd_at_once__shares_one_reading() -> None:
    tables = Tables()
    shown = ShownTables(tables.read)

    got = await asyncio.gather(*[shown.show("m1", "pricing") for _ in range(CROWD)])

    assert {one.slug for one in got} == {"m1/pricing/1"}
    assert (await shown.show("m2", "pricing")).slug == "m2/pricing/2"


@pytest.mark.spec("PUB-1")
async def test_one_request_after_the_other__reads_a_few_and_shows_the_last_copy_then() -> None:
    tables = Tables()
    shown = ShownTables(tables.read)

    got = [await shown.show("m1", "pricing") for _ in range(CROWD)]

    # The first one is paid for like what may not exist.
    assert READINGS_PER_S <= tables.readings <= 2 * READINGS_PER_S
    assert got[-1].slug == f"m1/pricing/{tables.readings}"
    assert [one.slug for one in got[:2]] == ["m1/pricing/1", "m1/pricing/2"]


@pytest.mark.spec("PUB-1")
async def test_slugs_that_do_not_exist__are_refused_before_they_load_the_database() -> None:
    tables = Tables()
    shown = ShownTables(tables.read)
    await shown.show("m1", "pricing")
    refused = 0
    for number in range(CROWD):
        with pytest.raises((PricingTableNotFoundError, TooManyPublicReadsError)) as error:
            await shown.show("m1", f"no-{number}")
        refused += error.type is TooManyPublicReadsError

    assert refused >= CROWD - 2 * READINGS_PER_S
    assert tables.readings <= 2 * READINGS_PER_S
    # What exists is shown all the same.
    assert (await shown.show("m1", "pricing")).slug


@pytest.mark.spec("PUB-1")
async def test_table_that_is_archived__is_not_shown_from_its_copy_for_long() -> None:
    tables = Tables()
    shown = ShownTables(tables.read)
    await shown.show("m1", "pricing")
    tables.gone = True

    with pytest.raises(PricingTableNotFoundError):
        await shown.show("m1", "pricing")
    with pytest.raises(PricingTableNotFoundError):
        await shown.show("m1", "pricing")
