"""Turns what a flush adds by group into rows: gives new groups their places, and the rest to the overflow (EVT-5).

Data plane, but only for metrics with group-by properties: one question to the database per flush, and three more when
there are groups that it has not seen yet.
"""

from __future__ import annotations

from collections.abc import Mapping

from candela_server.storage.events import Connection

from . import group_store
from .group_store import GroupKey
from .rollup_store import DistinctRow
from .rules.bucket import from_microseconds
from .rules.folding import Folded, Share
from .rules.group import OVERFLOW, Group, dimension

Shares = dict[tuple[str, str, str, str, str, int], Share]
"""What is added, by merchant, customer, metric, user, dimension and bucket."""


async def settle_groups(
    connection: Connection, folded: Mapping[str, Folded]
) -> tuple[Shares, list[DistinctRow]]:
    """The shares and the distinct values of all groups, by merchant."""
    wanted: dict[tuple[str, str, str, Group], tuple[int, GroupKey]] = {}
    for merchant_id, one in folded.items():
        for (customer_id, metric_id, _, _, group), share in one.grouped.items():
            _want(wanted, (merchant_id, customer_id, metric_id, group), share.first_us)
        for (customer_id, metric_id, _, bucket_us, group), _ in one.grouped_distinct:
            _want(wanted, (merchant_id, customer_id, metric_id, group), bucket_us)
    if not wanted:
        return {}, []
    keys = sorted(key for _, key in wanted.values())
    settled = await group_store.find_groups(connection, keys)
    # The earliest first, as in reading history.
    missing = sorted(
        (first_us, key, name[3]) for name, (first_us, key) in wanted.items() if key not in settled
    )
    if missing:
        await group_store.add_groups(connection, [(key, group) for _, key, group in missing])
        settled |= await group_store.find_groups(connection, [key for _, key, _ in missing])
    dimensions = {
        name: key.dimension if key in settled else OVERFLOW for name, (_, key) in wanted.items()
    }
    shares: Shares = {}
    distinct: set[DistinctRow] = set()
    for merchant_id, one in folded.items():
        for (customer_id, metric_id, user_id, bucket_us, group), share in one.grouped.items():
            found = dimensions[merchant_id, customer_id, metric_id, group]
            row = (merchant_id, customer_id, metric_id, user_id, found, bucket_us)
            known = shares.get(row)
            if known is None:
                shares[row] = share
            else:
                known.take_in(share)
        for (customer_id, metric_id, user_id, bucket_us, group), value in one.grouped_distinct:
            found = dimensions[merchant_id, customer_id, metric_id, group]
            bucket_at = from_microseconds(bucket_us)
            distinct.add((merchant_id, customer_id, metric_id, user_id, found, bucket_at, value))
    return shares, sorted(distinct)


def _want(
    wanted: dict[tuple[str, str, str, Group], tuple[int, GroupKey]],
    name: tuple[str, str, str, Group],
    first_us: int,
) -> None:
    known = wanted.get(name)
    if known is None:
        merchant_id, customer_id, metric_id, group = name
        key = GroupKey(merchant_id, customer_id, metric_id, dimension(group))
        wanted[name] = (first_us, key)
    elif first_us < known[0]:
        wanted[name] = (first_us, known[1])
