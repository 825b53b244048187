"""Rollups in layers, as writers make them while old versions of rows have to stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

from candela_server.kernel.clock import FixedClock
from candela_server.metering.merge_layers import merge_layers
from candela_server.metering.rollup_layer import Place, RollupLayer

from tests.integration.metering.builders import Metering

_LATE = datetime(2100, 1, 1, tzinfo=UTC)


@contextmanager
def climbing(wanted: bool = True) -> Iterator[None]:
    """Each flush adds to another layer than the one before: the lowest, two more, and so on."""
    if not wanted:
        yield
        return

    def climb(self: RollupLayer, place: Place) -> None:
        self._now = self._next
        self._next = (self._now + 1) % 3

    with patch.object(RollupLayer, "note", climb):
        yield


async def merge(metering: Metering, step_rows: int = 3) -> int:
    """Merges all layers, in many steps; answers how many rows went."""
    return await merge_layers(metering.events, FixedClock(_LATE), step_rows)


async def rows_by_layer(metering: Metering) -> dict[int, int]:
    """How many rollups of the merchant each layer has."""
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            "SELECT layer, count(*) FROM usage_rollup WHERE merchant_id = %s GROUP BY 1",
            [metering.merchant_id],
        )
        return dict(await cursor.fetchall())
