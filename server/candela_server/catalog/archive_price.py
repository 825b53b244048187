"""Takes a price out of sale; who holds it is billed on (CAT-5)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import price_store, read
from .keep_downgrade_plan import keep_downgrade_plan
from .price import Price, PriceId


async def archive_price(tx: Tx, clock: Clock, price_id: PriceId) -> Price:
    """Archives a price; one that is archived already stays as it is.

    Raises PriceNotFoundError and DowngradePlanNeededError.

    The latest price of the same currency and cadence that is left is sold instead, so that a price which was a mistake
    can be taken back. Subscriptions keep their price.
    """
    before = await read.get_price(tx, price_id, lock=True)
    archived_at = before.archived_at or clock.now()
    await price_store.set_price_archived(tx, price_id, archived_at)
    await tx.audit(
        "price.archived",
        price_id,
        before={"archived_at": before.archived_at},
        after={"archived_at": archived_at},
    )
    if before.archived_at is None:
        await keep_downgrade_plan(tx, before.plan_id)
    return replace(before, archived_at=archived_at)
