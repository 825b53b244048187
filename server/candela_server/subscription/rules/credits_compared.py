"""What the usage of a running period is compared with where credits pay for it: for checks, and for packs that are
bought by themselves (ENT-4, CRD-8, CRD-9).

The window in which usage is counted, the grants with what they had for it, and its parts that are over. Credits pay for
what is used in their time only; a number that is included besides is used up first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import Metric
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.billed_within import before_invoices
from candela_server.credit.rules.parts_over import PartsOver, WaitingPart, had, parts_over
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.metering.rules.aggregation import parts_add_up
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.waiting_usage import WaitingUsage

from .credits_held import (
    counted_since,
    drawn_within,
    not_drawn_yet,
    of_period,
    pays_for_component,
    window_of,
)

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the usage of `window` is compared with.

    `paying` are the grants that count now, and `drawn` what they have paid for in the window already; where the window
    begins after all that was drawn, that is nothing. `past` are the parts of the window that are over, where it has
    such. `included` is a number that is used up before credits.
    """

    window: Interval
    paying: Sequence[CreditGrant]
    drawn: Decimal
    past: PartsOver | None
    included: Decimal

    @property
    def allowance(self) -> Decimal:
        """What the grants that count now hold together."""
        with exact():
            return sum((grant.balance for grant in self.paying), _ZERO)

    def left(self, used: Decimal, past: Sequence[Decimal]) -> Decimal:
        """What is left now of all of it, when the window used so much, and its parts that are over so much each."""
        with exact():
            if self.past is None:
                return self.included + self.allowance + self.drawn - used
            return self.past.spent(past).limit + self.past.paused(past) - used


def compared(
    metric: Metric,
    payers: Sequence[CreditGrant],
    period: Interval,
    now: datetime,
    *,
    drawn: Sequence[DrawnPart],
    terms_since: datetime | None,
    included: Decimal | None = None,
    has_credits: bool = True,
    pauses: Sequence[Interval] = (),
    waiting: Sequence[WaitingPart] = (),
) -> Compared:
    """What usage of the running `period` is compared with at `now`.

    `payers` are all that pay for usage of the period, those that have ended within it as well; `drawn` its parts whose
    usage was drawn when a change cut it; `terms_since` is when terms came that count nothing from before. `included`
    is a number that counts besides the credits; None where these are all there is. Without credits, the whole
    period is the window. `waiting` is what other terms left to the next invoice, which takes from credits first.
    """
    add_up = parts_add_up(metric)
    window = period
    if has_credits:
        found = window_of([grant for grant in payers if grant.counts_at(now)], period)
        window = found if add_up else _whole(found, period, terms_since)
    by_parts = has_credits and included is None and add_up
    if by_parts:
        window = not_drawn_yet(of_period(window, period), drawn)
    # What was used before is drawn, or was used under terms that these do not count with.
    since = max(not_drawn_yet(period, drawn).start_at, terms_since or period.start_at)
    counted_from = counted_since(window, period, since)
    payers = [before_invoices(grant, counted_from) for grant in payers]
    paying = [grant for grant in payers if grant.counts_at(now)]
    first = included or _ZERO
    past = None
    if add_up:
        funds = [had(grant, drawn_within(window, drawn, [grant])) for grant in payers]
        past = parts_over(
            funds, window, now, since=since, first=first, pauses=pauses, waiting=waiting
        )
    return Compared(
        window=window,
        paying=paying,
        # Where all of the window is compared, what a part of it has drawn is still there to pay for that.
        drawn=_ZERO if by_parts else drawn_within(window, drawn, paying),
        past=past,
        included=first,
    )


def waiting_parts(
    waiting: Sequence[WaitingUsage], metric: Metric, grants: Sequence[CreditGrant]
) -> list[WaitingPart]:
    """Those of these parts that used the metric, each with the customer's grants that can pay for it."""
    return [
        WaitingPart(
            one.part,
            [
                grant
                for grant in grants
                if pays_for_component(grant, one.component, one.part, one.held, one.offer)
            ],
        )
        for one in waiting
        if one.component.metric_id == metric.id
    ]


def _whole(found: Interval, period: Interval, terms_since: datetime | None) -> Interval:
    """The window that was found; all of the period, where a plan came within it, as its parts cannot be told apart.

    So another plan's allowance is compared with all that the period has measured, too (CRD-5).
    """
    if terms_since is None or found.start_at > terms_since:
        return found
    return Interval(min(found.start_at, period.start_at), found.end_at)
