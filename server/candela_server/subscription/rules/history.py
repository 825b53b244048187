"""Which terms an instant or a period was held under, when they changed in between (SUB-3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.catalog.model import PlanVersionId
from candela_server.catalog.price import BillingTiming
from candela_server.kernel.interval import Interval
from candela_server.subscription.model import Subscription

PlanVersionSteps = Sequence[tuple[datetime, PlanVersionId]]
"""Since when a subscription has been on which plan version, oldest first."""


def held_at(history: Sequence[Subscription], instant: datetime) -> Subscription:
    """The version of an instant, of all versions, oldest first; the first one for what lies before it."""
    return next((one for one in reversed(history) if one.version.valid_from <= instant), history[0])


def in_state_since(history: Sequence[Subscription]) -> datetime:
    """Since when a subscription has been in the state of its last version, whatever else changed meanwhile."""
    since = history[-1].version
    for one in reversed(history):
        if one.version.status is not since.status:
            break
        since = one.version
    return since.valid_from


def plan_version_of_period(
    steps: PlanVersionSteps, period: Interval, timing: BillingTiming
) -> PlanVersionId:
    """The plan version that a billed period counts to: the one at its end that it is charged at.

    A period charged in advance is sold as it begins; one in arrears was used until just before it ends, so a version
    that begins with the next period has no part in it.
    """
    found = steps[0][1]
    for since, version_id in steps[1:]:
        begun = (
            since <= period.start_at
            if timing is BillingTiming.IN_ADVANCE
            else since < period.end_at
        )
        if begun:
            found = version_id
    return found
