"""Says which credits renew because billing periods begin (CRD-5); for the pipeline, and for previews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from candela_server.catalog.price import BillingTiming
from candela_server.credit.model import PeriodGrant
from candela_server.credit.rules.renewal import period_amount
from candela_server.subscription.model import ScheduledPeriod, SubscriptionId
from candela_server.subscription.rules.schedule import credit_component, credit_period
from candela_server.subscription.rules.seats import seats_held

from .billing_context import Context


def renewals(context: Context, due: Sequence[ScheduledPeriod]) -> list[PeriodGrant]:
    """What renewing credits grant because a period begins: that of the component they follow.

    A component charged in arrears is due when its period ends, which is when its next one begins. Nothing follows the
    last period of what is held no more.
    """
    by_subscription: defaultdict[SubscriptionId, list[ScheduledPeriod]] = defaultdict(list)
    for one in due:
        if one.last_terms is None:
            by_subscription[one.subscription_id].append(one)
    grants = []
    for subscription_id, periods in by_subscription.items():
        held, offer = context.subscriptions[subscription_id], context.offers[subscription_id]
        seats = seats_held(offer.price, held.version.quantities)
        for definition in offer.credit_definitions:
            if not definition.renew_on_billing:
                continue
            followed = credit_component(offer, definition)
            for one in periods:
                if one.component_id != followed.id:
                    continue
                number = one.period_number
                if followed.timing is BillingTiming.IN_ARREARS:
                    number += 1
                if number == 0:
                    continue  # granted when the subscription began
                period = credit_period(
                    offer, definition, number, anchor_at=held.anchor_at, time_zone=held.time_zone
                )
                grants.append(
                    PeriodGrant(
                        customer_id=held.customer_id,
                        subscription_id=held.id,
                        definition=definition,
                        amount=period_amount(definition, first=False, seats=seats),
                        effective_at=period.start_at,
                        expires_at=period.end_at,
                    )
                )
    return grants
