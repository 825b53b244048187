"""Plan versions as the audit trail keeps them (AUD-1)."""

from __future__ import annotations

from typing import Any

from candela_server.storage.postgres import Tx

from . import read
from .model import PlanVersion
from .terms_json import value_to_json


async def version_trace(tx: Tx, version: PlanVersion) -> dict[str, Any]:
    """What an audit entry shows of a version."""
    return {
        "plan_id": version.plan_id,
        "number": version.number,
        "status": version.status,
        "message": version.message,
        "features": {
            granted.feature_id: {
                "value": value_to_json(granted.value),
                "limit_behavior": granted.limit_behavior,
                "limit_scope": granted.limit_scope,
            }
            for granted in version.features
        },
        "credit_definitions": {
            definition.id: {
                "name": definition.name,
                "feature_id": definition.feature_id,
                "default_amount": definition.default_amount,
                "refill_amount": definition.refill_amount,
                "basis": definition.basis,
            }
            for definition in await read.list_credit_definitions(tx, version.id)
        },
    }
