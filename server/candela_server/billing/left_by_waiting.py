"""What credits have left for an invoice: less what waits for another one, and was used before (SUB-6, CRD-8, ENT-4).

Where a plan was left, the next invoice bills what was used of it. What is used later may be billed before: by a change
that asks for an invoice at once, by a pause, or by the end. Usage takes credits in its own order all the same, and as
checks have said: what waits is measured, and what it will be rated to take is set aside. Prices of one invoice that are
rated one after the other leave each other their turns as well (`used_beside`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import takewhile

from candela_server.catalog.model import CreditApplicationType, MetricId
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.customer.model import CustomerId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.rules.credits_held import pays_for_component
from candela_server.subscription.waiting_usage import WaitingUsage

from .billing_context import Context
from .measure_usage import Ask, Measured, measure
from .paying_grants import paying
from .rules.used_beside import UsedBeside
from .wanted_invoice import PeriodToBill, WantedInvoice


@dataclass(slots=True)
class CreditsLeft:
    """What each grant has left while invoices are rated one after the other."""

    balances: dict[GrantId, Decimal]
    waiting: dict[CustomerId, list[UsedBeside]] = field(default_factory=dict)

    def of(self, grant: CreditGrant) -> CreditGrant:
        """The grant with what it has left."""
        balance = self.balances[grant.id]
        return grant if grant.balance == balance else replace(grant, balance=balance)

    def take(self, draws: Sequence[tuple[GrantId, Decimal]]) -> None:
        """What was drawn is gone for what comes after it."""
        for grant_id, amount in draws:
            self.balances[grant_id] -= amount

    def set_aside(self, customer_id: CustomerId, before: datetime) -> None:
        """Leaves to what waits, and began before an instant, what it will take."""
        waiting = self.waiting.get(customer_id)
        while waiting and waiting[0].part.start_at < before:
            waiting.pop(0).take_from(self.balances)

    def waits_for(self, customer_id: CustomerId) -> Sequence[UsedBeside]:
        """What waits still, the oldest first, with what its grants have left."""
        return [
            replace(one, grants=[self.of(grant) for grant in one.grants])
            for one in self.waiting.get(customer_id, ())
        ]


async def credits_left(
    tx: Tx, events: EventStore, context: Context, wanted: Sequence[WantedInvoice]
) -> CreditsLeft:
    """What the grants have left for these invoices; what these bill themselves waits no more."""
    left = CreditsLeft({one.id: one.balance for some in context.grants.values() for one in some})
    holders = {context.subscriptions[one.subscription_id].customer_id for one in wanted}
    paid_for = [one for one in holders if any(map(_is_usage, context.grants.get(one, ())))]
    if not paid_for:
        return left
    billed = {
        (one.subscription_id, each.component_id, each.period.start_at)
        for one in wanted
        for each in one.periods
    }
    waiting = await subscription.list_waiting_usage(tx, paid_for)
    parts = [
        one
        for some in waiting.values()
        for one in some
        if (one.held.id, one.component.id, one.part.start_at) not in billed
    ]
    if not parts:
        return left
    asks = [_ask(one, context.grants) for one in parts]
    found: defaultdict[CustomerId, list[UsedBeside]] = defaultdict(list)
    measured = await measure(events, tx.merchant_id, asks)
    for one, ask, used in zip(parts, asks, measured, strict=True):
        found[ask.customer_id].append(UsedBeside(one.part, ask.grants, used.value, used.spans))
    for some in found.values():
        some.sort(key=lambda each: each.part.start_at)
    left.waiting = dict(found)
    return left


def used_beside(
    context: Context,
    one: WantedInvoice,
    after: Iterable[WantedInvoice],
    used: Mapping[PeriodToBill, Measured],
    left: CreditsLeft,
) -> list[UsedBeside]:
    """Usage that takes from credits in its turn while this is rated: what waits, and what is rated `after` it.

    That is what other prices of the same subscription used, where a price was left and came back within one period.
    """
    found = list(left.waits_for(context.subscriptions[one.subscription_id].customer_id))
    for other in takewhile(lambda each: each.subscription_id == one.subscription_id, after):
        offer = other.offer_in(context)
        for each in other.periods:
            if each in used:
                grants = [left.of(grant) for grant in paying(context, each, offer)]
                measured = used[each]
                found.append(UsedBeside(each.period, grants, measured.value, measured.spans))
    return sorted(found, key=lambda each: each.part.start_at)


def _is_usage(grant: CreditGrant) -> bool:
    return grant.application_type is CreditApplicationType.USAGE


def _ask(one: WaitingUsage, grants: Mapping[CustomerId, Sequence[CreditGrant]]) -> Ask:
    assert one.component.metric_id is not None, "it is a usage component"
    holder = one.held.customer_id
    return Ask(
        customer_id=holder,
        metric=one.offer.metrics[MetricId(one.component.metric_id)],
        period=one.part,
        counts_events=False,
        grants=[
            grant
            for grant in grants.get(holder, ())
            if pays_for_component(grant, one.component, one.part, one.held, one.offer)
        ],
    )
