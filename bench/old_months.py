"""What the keys of earlier months cost, as an installation has them in its fourth month."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import count

import psycopg

from candela_server.metering.sum_up_keys import sum_up_keys
from candela_server.storage.events import EventStore

from .harness import SERVER_CORE, Row, interleave, row, say
from .sent_events import Stream, made_events
from .stage import Stage, another_server

KEYS_A_MONTH = 2_000_000
_MONTHS = 3


def beside_old_keys(stage: Stage, stream: Stream, rounds: int, events: int, keys: int) -> Row:
    """A server that knows of three months of keys, against one that began when there were none."""
    say(f"the same beside {_MONTHS} months of {keys:,} keys each")
    _remember(stage, keys)
    with another_server(stage, "old-months", core=SERVER_CORE) as fourth_month:
        beside = Stream(fourth_month)
        beside.send(made_events(stage.user_ids, "first-beside", events // 5))
        runs = count()
        with_them, without = interleave(
            lambda: beside.send(made_events(stage.user_ids, f"beside-{next(runs)}", events)),
            lambda: stream.send(made_events(stage.user_ids, f"alone-{next(runs)}", events)),
            rounds,
        )
    return row(
        f"StreamEvents beside {_MONTHS} months of keys (events/s) : beside none",
        with_them,
        without,
        0.90,
    )


def _remember(stage: Stage, keys: int) -> None:
    """Keys of the months before this one, summed up as the worker does it once a month."""
    month = datetime.now(UTC).date().replace(day=1)
    with psycopg.connect(stage.database_url, autocommit=True) as database:
        for _ in range(_MONTHS):
            month = _before(month)
            database.execute("SELECT candela_prepare_event_keys(%s::date)", [month])
            database.execute(
                """
                INSERT INTO event_key (key_hash, claim_month, payload_hash)
                SELECT gen_random_uuid(), %s::date, number FROM generate_series(1, %s) AS number
                """,
                [month, keys],
            )
        database.execute("VACUUM ANALYZE event_key")
        database.execute("CHECKPOINT")
    asyncio.run(_sum_up(stage))


async def _sum_up(stage: Stage) -> None:
    events = EventStore(stage.database_url)
    await events.open()
    try:
        # Whatever day it is: a month is summed up when it has been over for a day.
        await sum_up_keys(events, datetime.now(UTC) + timedelta(days=1))
    finally:
        await events.close()


def _before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)
