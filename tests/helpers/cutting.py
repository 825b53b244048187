"""Histories of a subscription to one component, and what its cut periods bill by the rules alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import count

from candela_server.billing.model import InvoiceLine, LineId
from candela_server.billing.rules.cut_period import Cut, cut_difference
from candela_server.billing.rules.invoice_lines import BilledPeriod
from candela_server.billing.rules.rate_invoice import InvoiceToRate, rate
from candela_server.catalog.model import PlanId, PlanVersionId
from candela_server.catalog.price import Component, Price
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.subscription.model import (
    CollectionMethod,
    Proration,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)

from .builders import offer


@dataclass(slots=True)
class CutPeriod:
    """One period of a price's first component: what is held of it, and what was billed of that."""

    price: Price
    anchor_at: datetime
    number: int = 0
    zone: str = "UTC"
    history: list[Subscription] = field(default_factory=list)
    billed: list[InvoiceLine] = field(default_factory=list)
    ids: count[int] = field(default_factory=count)

    @property
    def component(self) -> Component:
        """What is billed."""
        return self.price.components[0]

    @property
    def period(self) -> Interval:
        """Which period of it."""
        return self.component.recurrence_in(self.zone).period(self.anchor_at, self.number)

    def hold(
        self,
        at: datetime,
        quantity: Decimal | None,
        *,
        proration: Proration = Proration.NEXT_INVOICE,
    ) -> None:
        """From `at` on so much is held; nothing when None."""
        if self.history:
            last = self.history[-1]
            self.history[-1] = replace(last, version=replace(last.version, valid_to=at))
        self.history.append(
            Subscription(
                id=SubscriptionId("sub_1"),
                customer_id=CustomerId("cus_1"),
                currency=self.price.currency,
                anchor_at=self.anchor_at,
                time_zone=self.zone,
                collection_method=CollectionMethod.SEND_INVOICE,
                metadata={},
                created_at=self.anchor_at,
                version=SubscriptionVersion(
                    number=len(self.history) + 1,
                    status=Status.PAUSED if quantity is None else Status.ACTIVE,
                    plan_id=PlanId("plan_1"),
                    plan_version_id=PlanVersionId("plv_1"),
                    price_id=self.price.id,
                    quantities={} if quantity is None else {self.component.id: quantity},
                    valid_from=at,
                    valid_to=None,
                    reason="",
                    actor="",
                    proration=proration,
                ),
            )
        )

    def begin(self, quantity: Decimal) -> Decimal:
        """The period begins with so much held, and is billed as a whole."""
        self.hold(self.period.start_at, quantity)
        lines = rate_part(self.price, self.component, self, self.period, held=quantity)
        self.billed += lines
        return total(lines)

    def settle(self) -> Decimal:
        """Bills what the changes since come to."""
        line = cut_difference(
            LineId(f"line_{next(self.ids)}"),
            self.history,
            lambda _: offer(self.price),
            Cut(
                component=self.component,
                offer=offer(self.price),
                anchor_at=self.anchor_at,
                number=self.number,
                period=self.period,
                at=self.history[-1].version.valid_from,
            ),
            self.billed,
            {},
        )
        self.billed += [line] if line else []
        return line.amount if line else Decimal(0)


def rate_part(
    price: Price,
    component: Component,
    cut: CutPeriod,
    part: Interval,
    *,
    held: Decimal = Decimal(0),
    used: Decimal = Decimal(0),
    events: Decimal = Decimal(0),
    earlier: Sequence[InvoiceLine] = (),
) -> list[InvoiceLine]:
    """The lines of a part of a component's period."""
    number = next(cut.ids)
    return rate(
        InvoiceToRate(
            offer=offer(price),
            anchor_at=cut.anchor_at,
            time_zone=cut.zone,
            earlier=earlier,
            periods=[
                BilledPeriod(
                    offer=offer(price),
                    component=component,
                    number=cut.number,
                    period=part,
                    time_zone=cut.zone,
                    held=held,
                    used=used,
                    event_count=events,
                    usage_seen_at=None,
                    grants=(),
                    line_id=LineId(f"line_{number}"),
                    credit_line_id=LineId(f"credit_{number}"),
                    whole=component.recurrence_in(cut.zone).whole_period(cut.anchor_at, cut.number),
                )
            ],
        )
    )


def total(lines: Sequence[InvoiceLine]) -> Decimal:
    """What the lines come to."""
    return sum((line.amount for line in lines), Decimal(0))
