"""What differs between two versions of a subscription, as paths and texts that people read (SUB-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from candela_server.catalog.price import ComponentId
from candela_server.kernel.money import format_decimal
from candela_server.subscription.model import Subscription


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; `before` is empty when it was not there, `after` when it is gone."""

    path: str
    before: str
    after: str


def version_difference(before: Subscription, after: Subscription) -> list[Difference]:
    """Every difference of the terms, in the order of the contract; none between versions that say the same.

    When, why and by whom a version was made is no term.
    """
    components = sorted({*before.version.quantities, *after.version.quantities})
    one, other = _terms(before, components), _terms(after, components)
    return [Difference(path, was, other[path]) for path, was in one.items() if was != other[path]]


def _terms(held: Subscription, components: Sequence[ComponentId]) -> dict[str, str]:
    version = held.version
    return {
        "status": f"SUBSCRIPTION_STATUS_{version.status.upper()}",
        "plan_id": version.plan_id,
        "plan_version_id": version.plan_version_id,
        "price_id": version.price_id,
        **{
            f"quantities[{one}]": format_decimal(version.quantities[one])
            if one in version.quantities
            else ""
            for one in components
        },
        "anchor_at": _instant(held.anchor_at),
        "cancel_at": _instant(version.cancel_at),
    }


def _instant(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
