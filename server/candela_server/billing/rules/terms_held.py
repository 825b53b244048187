"""What a subscription held when, so that usage that costs nothing is drawn once for each instant (CRD-8).

Terms end where a change is billed by itself: at another price, another anchor, a pause, an end, and where a pause ends.
A migration to another version of the plan ends none: the price and its periods go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from candela_server.catalog.price import BillingTiming, Price
from candela_server.kernel.interval import Interval
from candela_server.subscription.model import ScheduledPeriod, Subscription
from candela_server.subscription.rules.reschedule import BILLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Versions that follow one another at one price; `ended_at` None: they are in force."""

    versions: Sequence[Subscription]
    ended_at: datetime | None

    @property
    def began_at(self) -> datetime:
        """When they came into force."""
        return self.versions[0].version.valid_from

    @property
    def billed(self) -> bool:
        """Whether what is held is billed under them: not while it is paused or has ended."""
        return self.versions[0].version.status in BILLED

    def held_in(self, span: Interval) -> list[tuple[Subscription, Interval]]:
        """The parts of a span for which they were in force, by the version of the plan that counted."""
        end_at = span.end_at if self.ended_at is None else min(span.end_at, self.ended_at)
        changes = [
            later
            for earlier, later in pairwise(self.versions)
            if earlier.version.plan_version_id != later.version.plan_version_id
            and later.version.valid_from < end_at
        ]
        starts = [self.began_at, *(one.version.valid_from for one in changes)]
        ends = [*starts[1:], end_at]
        return [
            (version, Interval(max(start_at, span.start_at), until))
            for version, start_at, until in zip(
                (self.versions[0], *changes), starts, ends, strict=True
            )
            if until > max(start_at, span.start_at)
        ]


def terms_held(history: Sequence[Subscription]) -> list[Terms]:
    """All versions of a subscription, oldest first, as the terms that they were."""
    found: list[list[Subscription]] = [[history[0]]]
    for earlier, later in pairwise(history):
        if _ends_terms(earlier, later):
            found.append([])
        found[-1].append(later)
    return [
        Terms(versions=some, ended_at=following[0].version.valid_from if following else None)
        for some, following in zip(found, [*found[1:], []], strict=True)
    ]


def cut_off(
    terms: Terms, price: Price, gone: ScheduledPeriod
) -> list[tuple[Subscription, Interval]]:
    """The parts of periods of ended terms that nothing has ended before, by the version of the plan that counted.

    `gone` is what would have been billed next of the price's first component: the period before it, in advance, or its
    own, in arrears, is the first that is still open. More than one is where billing was behind.
    """
    assert terms.ended_at is not None, "they ended"
    component, held = price.components[0], terms.versions[-1]
    rule = component.recurrence_in(held.time_zone)
    number = gone.period_number
    if component.timing is BillingTiming.IN_ADVANCE:
        number = max(number - 1, 0)
    found = []
    while (period := rule.period(held.anchor_at, number)).start_at < terms.ended_at:
        found += terms.held_in(period)
        number += 1
    return found


def _ends_terms(earlier: Subscription, later: Subscription) -> bool:
    return (
        earlier.version.price_id != later.version.price_id
        or earlier.anchor_at != later.anchor_at
        or (earlier.version.status in BILLED) != (later.version.status in BILLED)
    )
