"""Gives one subscription another value of a feature, and takes it back (SUB-8, ENT-3, CAT-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.create_feature import FeatureTypeMismatchError
from candela_server.catalog.model import FeatureValue
from candela_server.catalog.refs import Ref
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import override_store, read
from .feature_override import FeatureOverride
from .model import SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFeatureOverride:
    """Which subscription is to have which value of which feature, and until when."""

    subscription_id: SubscriptionId
    feature: Ref
    value: FeatureValue
    expires_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFeatureOverride:
    """For which subscription the plan is to decide again about which feature."""

    subscription_id: SubscriptionId
    feature: Ref
    reason: str


async def set_feature_override(
    tx: Tx, clock: Clock, command: SetFeatureOverride
) -> FeatureOverride:
    """Sets an override, in place of an earlier one.

    Raises SubscriptionNotFoundError, FeatureNotFoundError, FeatureTypeMismatchError, and InvalidInput for an end that
    has passed on the customer's clock.
    """
    held = await read.get_subscription(tx, command.subscription_id)
    holder = await customer.get_customer(tx, CustomerById(held.customer_id), lock=True)
    now = (await customer.customer_clock(tx, clock, holder)).now()
    feature = await catalog.get_feature(tx, command.feature)
    if not feature.type.admits(command.value):
        raise FeatureTypeMismatchError(feature.slug, feature.type, field="value")
    if command.expires_at is not None and command.expires_at <= now:
        with FieldViolations() as fields:
            fields.add(
                "expires_at",
                f"must lie after the customer's present, {now.isoformat()}; or be absent",
            )
    override = FeatureOverride(
        id=new_id("fov"),
        subscription_id=held.id,
        feature_id=feature.id,
        feature_slug=feature.slug,
        value=command.value,
        expires_at=command.expires_at,
        reason=command.reason,
        created_at=now,
    )
    earlier = await _find(tx, held.id, feature.slug)
    if earlier is not None:
        await override_store.end_override(tx, earlier.id, now)
    await override_store.insert_override(tx, override)
    await tx.audit(
        "feature_override.set",
        held.id,
        before=_trace(earlier) if earlier else None,
        after=_trace(override),
        reason=command.reason or None,
    )
    await tx.entitlements_changed(holder.id)
    return override


async def remove_feature_override(tx: Tx, clock: Clock, command: RemoveFeatureOverride) -> None:
    """Removes an override; where there is none, nothing changes.

    Raises SubscriptionNotFoundError and FeatureNotFoundError.
    """
    held = await read.get_subscription(tx, command.subscription_id)
    holder = await customer.get_customer(tx, CustomerById(held.customer_id), lock=True)
    feature = await catalog.get_feature(tx, command.feature)
    earlier = await _find(tx, held.id, feature.slug)
    if earlier is not None:
        now = (await customer.customer_clock(tx, clock, holder)).now()
        await override_store.end_override(tx, earlier.id, now)
        await tx.entitlements_changed(holder.id)
    await tx.audit(
        "feature_override.removed",
        held.id,
        before=_trace(earlier) if earlier else {"feature": feature.slug},
        after={"feature": feature.slug},
        reason=command.reason or None,
    )


async def _find(tx: Tx, subscription_id: SubscriptionId, slug: str) -> FeatureOverride | None:
    for one in await override_store.list_overrides(tx, [subscription_id]):
        if one.feature_slug == slug:
            return one
    return None


def _trace(override: FeatureOverride) -> dict[str, object]:
    return {
        "feature": override.feature_slug,
        "value": override.value,
        "expires_at": override.expires_at,
    }
