"""Switches a feature off for everybody, and on again: the kill switch (ENT-11)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import Feature
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchFeature:
    """Which feature, and whether it is to be on."""

    feature: Ref
    on: bool


async def switch_feature(tx: Tx, clock: Clock, command: SwitchFeature) -> Feature:
    """Switches a feature; one that already is as wanted stays as it is. Raises FeatureNotFoundError."""
    before = await read.get_feature(tx, command.feature, lock=True)
    disabled_at = None if command.on else before.disabled_at or clock.now()
    await store.set_feature_disabled(tx, before.id, disabled_at)
    await tx.audit(
        "feature.enabled" if command.on else "feature.disabled",
        before.id,
        before={"disabled_at": before.disabled_at},
        after={"disabled_at": disabled_at},
    )
    await tx.feature_switched(before.slug, on=command.on)
    return replace(before, disabled_at=disabled_at)
