"""Notes the parts of periods whose unpriced usage is drawn, so that checks compare balances with what came since."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.storage.postgres import Tx

from . import drawn_store
from .drawn_usage import DrawnPart


async def note_drawn_usage(tx: Tx, parts: Sequence[DrawnPart]) -> None:
    """Notes them; the subscriptions must be locked, and whoever calls tells that entitlements have changed."""
    if parts:
        await drawn_store.insert_parts(tx, parts)
