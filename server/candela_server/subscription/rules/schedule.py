"""What is billed when: a component's periods, and the instant at which each is due (DSL-2)."""

from __future__ import annotations

from datetime import datetime

from candela_server.catalog.model import CreditDefinition, Offer
from candela_server.catalog.price import BillingTiming, Component, Price
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.subscription.model import ScheduledPeriod, Status, Subscription, SubscriptionId


def scheduled_period(
    component: Component,
    number: int,
    *,
    subscription_id: SubscriptionId,
    anchor_at: datetime,
    time_zone: str,
    test_clock_id: TestClockId | None,
) -> ScheduledPeriod:
    """The component's period of this number, counted from the anchor and never from the period before.

    It is due at its start when charged in advance, at its end when charged in arrears.
    """
    period = component.recurrence_in(time_zone).period(anchor_at, number)
    return ScheduledPeriod(
        subscription_id=subscription_id,
        component_id=component.id,
        test_clock_id=test_clock_id,
        period_number=number,
        period=period,
        due_at=period.start_at if component.timing is BillingTiming.IN_ADVANCE else period.end_at,
    )


def credit_component(offer: Offer, definition: CreditDefinition) -> Component:
    """The component whose billing period a renewing credit follows: the one it offsets, else the first."""
    if definition.metric_id is not None:
        if definition.component_id is not None:
            standing = offer.price.component_sold_as(definition.component_id)
            assert standing is not None, "the offer's definitions come with its price"
            return standing
        component_id = offer.component_for_metric(definition.metric_id)
        if component_id is not None:
            return offer.price.component(component_id)
    return offer.price.components[0]


def credit_period(
    offer: Offer, definition: CreditDefinition, number: int, *, anchor_at: datetime, time_zone: str
) -> Interval:
    """The period of this number that a renewing credit is granted for."""
    component = credit_component(offer, definition)
    return component.recurrence_in(time_zone).period(anchor_at, number)


def current_period(held: Subscription, price: Price, now: datetime) -> Interval | None:
    """The shortest of its components' periods that contain the present; None before it begins and once it has ended."""
    if now < held.anchor_at or held.version.status in (Status.CANCELED, Status.EXPIRED):
        return None
    return min(
        (
            component.recurrence_in(held.time_zone).period_containing(held.anchor_at, now)
            for component in price.components
        ),
        key=lambda period: period.duration,
        default=None,
    )
