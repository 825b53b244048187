"""One subscription that a customer's entitlements rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from candela_server.catalog.model import FeatureId, Offer
from candela_server.kernel.interval import Interval
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.feature_override import FeatureOverride
from candela_server.subscription.model import Subscription
from candela_server.subscription.waiting_usage import WaitingUsage

from .precedence import Access


@dataclass(frozen=True, slots=True)
class Holding:
    """One subscription with what it bought, or what is left of that, and its overrides by feature.

    `access_until` is when time alone changes the access. `drawn` are the parts of its periods that were drawn before
    these were over, and `pauses` are those that are over: nobody bills what was used in them. `waiting` is what
    the customer used under terms that were left, this subscription's or another's, and is to be billed.
    """

    subscription: Subscription
    offer: Offer
    access: Access
    access_until: datetime | None
    overrides: Mapping[FeatureId, FeatureOverride]
    drawn: Sequence[DrawnPart] = ()
    pauses: Sequence[Interval] = ()
    waiting: Sequence[WaitingUsage] = ()
