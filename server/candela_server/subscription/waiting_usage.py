"""The parts of periods that a plan which was left used, and that wait for the next invoice to bill them (SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.catalog.model import Offer
from candela_server.catalog.price import Component
from candela_server.kernel.interval import Interval

from .model import Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingUsage:
    """A part of a period of a usage component, and the version that the subscription had as it began.

    Its usage is measured as it is billed, so that events of its time that come before that count.
    """

    held: Subscription
    offer: Offer
    component: Component
    part: Interval
