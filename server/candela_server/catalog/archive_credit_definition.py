"""Ends granting from a credit definition; what was granted stays (CRD-3)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import edit_store, read
from .model import CreditDefinition, CreditDefinitionId


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveCreditDefinition:
    """Which definition."""

    definition_id: CreditDefinitionId


async def archive_credit_definition(
    tx: Tx, clock: Clock, command: ArchiveCreditDefinition
) -> CreditDefinition:
    """Archives a definition; an archived one stays as it is. Raises CreditDefinitionNotFoundError."""
    before = await read.get_credit_definition(tx, command.definition_id)
    await edit_store.archive_credit_definition(tx, before.id, clock.now())
    after = await read.get_credit_definition(tx, before.id)
    await tx.audit(
        "credit_definition.archived",
        after.id,
        before={"archived_at": before.archived_at},
        after={"archived_at": after.archived_at},
    )
    await tx.entitlements_changed(None)
    return after
