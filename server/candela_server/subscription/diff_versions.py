"""Reads two versions of a subscription and says what differs (SUB-3)."""

from __future__ import annotations

from candela_server.kernel.errors import FieldViolations
from candela_server.storage.postgres import Tx

from . import read, store
from .model import Subscription, SubscriptionId
from .rules.version_difference import Difference, version_difference


async def diff_versions(
    tx: Tx, subscription_id: SubscriptionId, *, from_version: int, to_version: int
) -> list[Difference]:
    """What differs from one version to another, whichever came first.

    Raises SubscriptionNotFoundError, and InvalidInput for numbers that it has no version of.
    """
    newest = (await read.get_subscription(tx, subscription_id)).version.number
    with FieldViolations() as fields:
        for field, number in (("from_version", from_version), ("to_version", to_version)):
            if not 1 <= number <= newest:
                fields.add(field, f"is {number}; the subscription has the versions 1 to {newest}")
    return version_difference(
        await _version(tx, subscription_id, from_version),
        await _version(tx, subscription_id, to_version),
    )


async def _version(tx: Tx, subscription_id: SubscriptionId, number: int) -> Subscription:
    [found] = await store.list_versions(tx, subscription_id, after_number=number - 1, limit=1)
    return found
