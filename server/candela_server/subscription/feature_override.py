"""What an override is: another value of a feature for one subscription (SUB-8, ENT-3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from candela_server.catalog.model import FeatureId, FeatureValue

from .model import SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOverride:
    """The value that counts instead of the plan's, until `expires_at` (exclusive; None: until it is removed)."""

    id: str
    subscription_id: SubscriptionId
    feature_id: FeatureId
    feature_slug: str
    value: FeatureValue
    expires_at: datetime | None
    reason: str
    created_at: datetime
