"""Decides about one allowance for all who wait, in one transaction, each with an outcome of its own (ENT-9).

Read once, decide one after the other in memory, write once: nobody else decides about the allowance between the lock
and the commit, so each decision is the one that it would have been in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.storage.transaction import AuditEntry

from . import reservation_store
from .decision import Allowance, Decided, Decision
from .reservation import Reservation, ReservationId
from .take_stock import take_stock


async def decide_together(
    tx: Tx, events: EventStore, clock: Clock, allowance: Allowance, decisions: Sequence[Decision]
) -> None:
    """Gives each request its response or its refusal, in order, and writes what was decided.

    Raises EventKeyTakenError when a key of Consume names another reservation's event: whose, is found by deciding each
    alone.
    """
    standing = await take_stock(tx, events, clock, allowance, decisions)
    made: dict[ReservationId, Reservation] = {}
    changed: dict[ReservationId, Reservation] = {}
    audited: list[AuditEntry] = []
    shown: set[str] = set()
    for one in decisions:
        try:
            decided = one.decide(standing)
            response = one.respond(decided)
        except Exception as refusal:  # its own, whatever it is: the neighbours go on
            one.request.refusal = refusal
            continue
        one.request.response = response
        one.decided = decided.after
        standing.apply(decided.after)
        (changed if decided.before is not None else made)[decided.after.id] = decided.after
        audited.append(_entry(one, decided))
        if decided.shown:
            shown.add(decided.after.customer_id)
    if not audited:
        return
    await reservation_store.insert_reservations(tx, list(made.values()))
    await reservation_store.update_reservations(tx, list(changed.values()))
    await tx.audit_entries(audited)
    await tx.entitlements_changed_of(shown)


def _entry(decision: Decision, decided: Decided) -> AuditEntry:
    return AuditEntry(
        decision.request.caller,
        decided.action,
        decided.after.id,
        decided.audit_before,
        decided.audit_after,
    )
