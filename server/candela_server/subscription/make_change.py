"""Does to a subscription what was asked for: the one door for commands and for the previews that undo them (SUB-6)."""

from __future__ import annotations

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from .change import Changed, ChangeSubscription
from .change_subscription import change_subscription
from .undo_cancellation import UndoCancellation, undo_cancellation


async def make_change(
    tx: Tx, clock: Clock, command: ChangeSubscription | UndoCancellation
) -> Changed:
    """What comes of the command. Raises as change_subscription and undo_cancellation do."""
    if isinstance(command, UndoCancellation):
        return await undo_cancellation(tx, clock, command)
    return await change_subscription(tx, clock, command)
