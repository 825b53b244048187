"""Changes as the JSON that scheduled ones are kept in, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, assert_never

from candela_server.catalog.model import PlanId, PlanVersionId, TrialEndBehavior, TrialEnding
from candela_server.catalog.new_component_json import (
    new_component_from_json,
    new_component_to_json,
)
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.catalog.refs import ById, BySlug, Ref
from candela_server.kernel.money import format_decimal

from .change import (
    Cancellation,
    Change,
    ComponentSwap,
    Pause,
    PlanChange,
    PriceOverride,
    QuantityChange,
    Reactivation,
    Resume,
    Start,
    TrialEnd,
)


def change_to_json(change: Change) -> dict[str, Any]:
    """A change as it is stored."""
    match change:
        case PlanChange():
            return {
                "kind": "change_plan",
                "plan": _ref_to_json(change.plan),
                "price_id": change.price_id,
                "quantities": _quantities_to_json(change.quantities),
                "allow_duplicate": change.allow_duplicate,
            }
        case PriceOverride():
            return {"kind": "override_price", "price_id": change.price_id}
        case QuantityChange():
            return {
                "kind": "change_quantity",
                "quantities": _quantities_to_json(change.quantities),
            }
        case ComponentSwap():
            return {
                "kind": "swap_component",
                "component_id": change.component_id,
                "component": new_component_to_json(change.component),
                "currency": change.currency,
            }
        case Pause():
            until = change.resume_at
            return {"kind": "pause", "resume_at": until.isoformat() if until else None}
        case Resume():
            return {"kind": "resume"}
        case Start():
            ending = change.ending
            return {
                "kind": "start",
                "plan_version_id": change.plan_version_id,
                "price_id": change.price_id,
                "behavior": ending.behavior if ending else None,
                "free_plan_id": ending.free_plan_id if ending else None,
            }
        case Cancellation():
            return {"kind": "cancel"}
        case Reactivation():
            return {"kind": "reactivate", "price_id": change.price_id}
        case TrialEnd():
            return {
                "kind": "end_trial",
                "parent_plan_id": change.parent_plan_id,
                "behavior": change.ending.behavior,
                "free_plan_id": change.ending.free_plan_id,
            }
        case _:
            assert_never(change)


def change_from_json(stored: Mapping[str, Any]) -> Change:
    """A change from what was stored."""
    match stored["kind"]:
        case "change_plan":
            return PlanChange(
                plan=_ref_from_json(stored["plan"]),
                price_id=stored["price_id"],
                quantities=_quantities_from_json(stored["quantities"]),
                # Older ones do not say it.
                allow_duplicate=stored.get("allow_duplicate", False),
            )
        case "override_price":
            return PriceOverride(price_id=PriceId(stored["price_id"]))
        case "change_quantity":
            return QuantityChange(quantities=_quantities_from_json(stored["quantities"]))
        case "swap_component":
            return ComponentSwap(
                component_id=ComponentId(stored["component_id"]),
                component=new_component_from_json(stored["component"]),
                currency=stored["currency"],
            )
        case "pause":
            until = stored["resume_at"]
            return Pause(resume_at=datetime.fromisoformat(until) if until else None)
        case "resume":
            return Resume()
        case "start":
            return Start(
                plan_version_id=PlanVersionId(stored["plan_version_id"]),
                price_id=PriceId(stored["price_id"]),
                ending=TrialEnding(
                    behavior=TrialEndBehavior(stored["behavior"]),
                    free_plan_id=stored["free_plan_id"],
                )
                if stored["behavior"]
                else None,
            )
        case "cancel":
            return Cancellation()
        case "reactivate":
            return Reactivation(price_id=stored["price_id"])
        case "end_trial":
            return TrialEnd(
                parent_plan_id=PlanId(stored["parent_plan_id"]),
                ending=TrialEnding(
                    # What was planned before it could be said is canceled.
                    behavior=TrialEndBehavior(stored.get("behavior", TrialEndBehavior.CANCEL)),
                    free_plan_id=stored.get("free_plan_id"),
                ),
            )
        case other:
            raise ValueError(f"{other!r} is no kind of change")


def _ref_to_json(ref: Ref) -> dict[str, str]:
    return {"slug": ref.slug} if isinstance(ref, BySlug) else {"id": ref.id}


def _ref_from_json(stored: Mapping[str, str]) -> Ref:
    return BySlug(stored["slug"]) if "slug" in stored else ById(stored["id"])


def _quantities_to_json(quantities: Mapping[ComponentId, Decimal]) -> dict[str, str]:
    return {key: format_decimal(value) for key, value in quantities.items()}


def _quantities_from_json(stored: Mapping[str, str]) -> dict[ComponentId, Decimal]:
    return {ComponentId(key): Decimal(text) for key, text in stored.items()}
