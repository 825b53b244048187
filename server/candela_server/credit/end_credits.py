"""Ends credits before their time, as when a trial turns into a paid plan, or a plan into another (CRD-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.storage.postgres import Tx

from . import end_store
from .model import GrantId


async def end_credits(tx: Tx, grant_ids: Sequence[GrantId], *, at: datetime) -> None:
    """Notes that these grants pay for nothing from an instant on; a second note can only make it earlier.

    They still pay for what was used before. What is left of them then lapses as that of any grant whose time is over:
    once no period that they could pay for waits for its invoice. Grants are history and stay as they were made.
    """
    if grant_ids:
        await end_store.put_ends(tx, grant_ids, at)
