"""The parts of periods whose unpriced usage was drawn before the period was over: terms ended within it (CRD-8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from candela_server.catalog.model import MetricId
from candela_server.kernel.interval import Interval

from .model import SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPart:
    """A part of a period, and what each grant has paid for what a metric measured in it.

    It stays as it was drawn: events of its time that come later, or are taken back, change neither balances nor checks.
    """

    subscription_id: SubscriptionId
    metric_id: MetricId
    part: Interval
    draws: Mapping[str, Decimal]
