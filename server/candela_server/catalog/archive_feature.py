"""Takes a feature out of use for new plan versions; those that have it keep it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import edit_store, read
from .model import Feature
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFeature:
    """Which feature."""

    feature: Ref


async def archive_feature(tx: Tx, clock: Clock, command: ArchiveFeature) -> Feature:
    """Archives a feature; an archived one stays as it is. Code that asks for it goes on getting answers.

    Raises FeatureNotFoundError.
    """
    before = await read.get_feature(tx, command.feature, lock=True)
    after = before
    if before.archived_at is None:
        after = replace(before, archived_at=clock.now())
        await edit_store.update_feature(tx, after)
    await tx.audit(
        "feature.archived",
        after.id,
        before={"archived_at": before.archived_at},
        after={"archived_at": after.archived_at},
    )
    await tx.entitlements_changed(None)
    return after
