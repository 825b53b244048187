"""What the events of a flush add to everything that is kept of events, in its transaction (EVT-7)."""

from __future__ import annotations

from operator import itemgetter

from candela_server.storage.events import Connection

from . import rollup_store, sql_store
from .flush_work import Work
from .note_late_usage import note_late_usage
from .prepared_event import PreparedEvent
from .rules.bucket import from_microseconds
from .rules.folding import Folded
from .rules.group import ALL_GROUPS
from .settle_groups import settle_groups


async def add_flush(
    connection: Connection,
    work: Work,
    folded: dict[str, Folded],
    survivors: dict[str, list[PreparedEvent]],
) -> None:
    """Adds to everything that is kept of events, by merchant."""
    await add_usage(connection, folded, work.writer.layers.after)
    await note_late_usage(connection, folded, survivors, work.readings, work.now)
    await sql_store.mark_buckets(
        connection,
        [
            (merchant_id, *mark)
            for merchant_id, events in sorted(survivors.items())
            for mark in work.readings[merchant_id].sql.marks(events)
        ],
    )


async def add_usage(connection: Connection, folded: dict[str, Folded], layer: int) -> None:
    """Adds all merchants' shares in the one order that every flush follows."""
    grouped, grouped_distinct = await settle_groups(connection, folded)
    shares = [
        ((merchant_id, customer_id, metric_id, user_id, ALL_GROUPS, bucket_us), share)
        for merchant_id, one in folded.items()
        for (customer_id, metric_id, user_id, bucket_us), share in one.shares.items()
    ]
    shares += grouped.items()
    if shares:
        await rollup_store.add_rollups(connection, sorted(shares, key=itemgetter(0)), layer)
    distinct = [
        (
            merchant_id,
            customer_id,
            metric_id,
            user_id,
            ALL_GROUPS,
            from_microseconds(bucket_us),
            value,
        )
        for merchant_id, one in folded.items()
        for customer_id, metric_id, user_id, bucket_us, value in one.distinct
    ]
    distinct += grouped_distinct
    if distinct:
        await rollup_store.add_distinct_values(connection, sorted(distinct))
    unmatched = [
        rollup_store.UnmatchedRow(
            merchant_id,
            name,
            count,
            from_microseconds(first_us),
            from_microseconds(last_us),
        )
        for merchant_id, one in folded.items()
        for name, (count, first_us, last_us) in sorted(one.unmatched.items())
    ]
    if unmatched:
        await rollup_store.add_unmatched_names(connection, unmatched, layer)
