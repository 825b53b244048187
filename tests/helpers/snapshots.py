"""One customer's features, read from the database alone: what every check must come to, whatever is remembered."""

from __future__ import annotations

from candela_server.entitlement.build_snapshot import snapshot_of
from candela_server.entitlement.model import Snapshot
from candela_server.entitlement.remembered_catalog import ReadCatalog
from candela_server.entitlement.snapshot_facts import Who, read_facts
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx


async def build_snapshot(tx: Tx, clock: Clock, who: Who) -> Snapshot:
    """All features of whoever is meant, as of this transaction."""
    return snapshot_of(await read_facts(tx, clock, [who], ReadCatalog()), who)
