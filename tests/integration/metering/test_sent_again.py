"""What was sent before costs no commit, and is acknowledged only when every server counts it (EVT-2, ENT-4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import Reason
from candela_server.metering.event_lanes import Batch
from candela_server.metering.event_writer import Care, Writer
from candela_server.metering.flush_events import Flusher
from candela_server.metering.flush_work import Flushed
from candela_server.metering.model import Outcome, UsageAsk
from candela_server.storage.events import EventStoreUnavailableError

from tests.helpers.waiting import becomes, eventually
from tests.integration.metering.builders import Metering, event, usage_of


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize("refused", [False, True], ids=["all of it", "one with another payload"])
async def test_a_flush_that_stores_nothing__is_not_committed(
    metering: Metering, *, refused: bool
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("k1", acme), event("k2", acme))
    flushes = await _flushes(metering)

    again = await metering.record(event("k1", acme), event("k2", acme, "7" if refused else "1"))

    assert await _flushes(metering) == flushes
    assert [one.reason for one in again.rejections] == [Reason.EVENT_KEY_CONFLICT] * refused
    assert again.outcomes[0] is Outcome.DEDUPLICATED
    assert again.outcomes[1] is (Outcome.REJECTED if refused else Outcome.DEDUPLICATED)
    await metering.record(event("k2", acme), event("k3", acme))
    assert await _flushes(metering) == flushes + 1
    assert await metering.usage(calls, acme) == await metering.counter(calls, acme) == 3


@pytest.mark.spec("EVT-2", "ENT-4")
async def test_a_commit_that_came_true_late__is_in_the_counters_before_it_is_acknowledged(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not say what became of a flush, a counter is filled without it, then it is there after all."""
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    ask = UsageAsk(metric=calls, who=usage_of(acme), window=metering.window())
    attempts = 0

    async def flush(
        flusher: Flusher, writer: Writer, batches: Sequence[Batch], care: Care
    ) -> Flushed:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise EventStoreUnavailableError
        if attempts == 2:
            await becomes(metering.counters.trusted, "counters are read anew")
            assert await metering.counter(calls, acme) == 0

            async def is_filled() -> bool:
                return await metering.cache.read([(metering.merchant_id, ask)]) == [0]

            await eventually(is_filled, "the counter is filled")
            await really_flush(flusher, writer, batches, care)
        return await really_flush(flusher, writer, batches, care)

    really_flush = Flusher.flush
    monkeypatch.setattr(Flusher, "flush", flush)

    got = await metering.record(event("k1", acme))

    assert got.outcomes == [Outcome.DEDUPLICATED]
    assert await metering.counter(calls, acme) == 1


async def _flushes(metering: Metering) -> int:
    """How many were committed, by whomever."""
    async with metering.events.reader() as connection:
        cursor = await connection.execute("SELECT sum(sequence) FROM event_writer")
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0] or 0)
