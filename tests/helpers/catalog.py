"""The catalog's and the subscriptions' servicers of one merchant, inside the process, and short words for prices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.subscription.v1 import subscription_pb2, subscription_service_pb2
from candela.type.v1 import money_pb2

from candela_server.catalog.metric_servicer import MetricServicer
from candela_server.catalog.plan_servicer import PlanServicer
from candela_server.catalog.price_servicer import PriceServicer
from candela_server.customer.servicer import CustomerServicer
from candela_server.kernel.clock import FixedClock
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.change import Changed
from candela_server.subscription.check_nothing_runs import check_nothing_runs
from candela_server.subscription.model import Subscription
from candela_server.subscription.servicer import SubscriptionServicer

from tests.helpers.names import fresh

_Request = TypeVar("_Request", bound=Any)
_Response = TypeVar("_Response")


async def _nothing_ended(tx: Tx, made: Subscription) -> None:
    """Allowances are billing's."""


async def _never_settled(tx: Tx, changed: Changed | Subscription) -> list[str]:
    raise AssertionError("no test of the catalog changes subscriptions")


@dataclass(slots=True)
class Counter:
    """Where a merchant sells; every mutation has a key of its own."""

    db: Postgres
    clock: FixedClock
    plans: PlanServicer = field(init=False)
    prices: PriceServicer = field(init=False)
    metrics: MetricServicer = field(init=False)
    customers: CustomerServicer = field(init=False)
    subscriptions: SubscriptionServicer = field(init=False)

    def __post_init__(self) -> None:
        ordinary = (self.db, Mutations(self.db, self.clock), self.clock, b"secret")
        self.plans = PlanServicer(*ordinary)
        self.prices = PriceServicer(*ordinary)
        self.metrics = MetricServicer(*ordinary)
        self.customers = CustomerServicer(*ordinary, check_nothing_runs)
        self.subscriptions = SubscriptionServicer(
            *ordinary, _never_settled, _never_settled, _nothing_ended
        )

    async def sell(
        self, request: plan_service_pb2.CreatePlanRequest
    ) -> plan_service_pb2.CreatePlanResponse:
        """Makes a plan."""
        return await keyed(self.plans.CreatePlan, request)

    async def shown(self, slug: str) -> plan_service_pb2.GetPlanResponse:
        """A plan with what is sold now."""
        request = plan_service_pb2.GetPlanRequest(plan=plan_pb2.PlanRef(slug=slug))
        return await self.plans.GetPlan(request, None)

    async def sign_up(self, name: str) -> customer_pb2.Customer:
        """A new customer."""
        request = customer_service_pb2.CreateCustomerRequest(name=name)
        return (await keyed(self.customers.CreateCustomer, request)).customer

    async def subscribe(
        self, customer: customer_pb2.Customer, slug: str, price_id: str | None = None
    ) -> subscription_pb2.Subscription:
        """The customer takes a plan."""
        request = subscription_service_pb2.CreateSubscriptionRequest(
            customer=customer_pb2.CustomerRef(id=customer.id),
            plan=plan_pb2.PlanRef(slug=slug),
            price_id=price_id,
        )
        return (await keyed(self.subscriptions.CreateSubscription, request)).subscription


async def keyed(
    call: Callable[[_Request, Any], Awaitable[_Response]], request: _Request
) -> _Response:
    """Calls a mutation under a new key, as the SDKs do."""
    request.idempotency_key = fresh("key")
    return await call(request, None)


def usd(amount: str) -> money_pb2.Money:
    """An amount of dollars."""
    return money_pb2.Money(currency="USD", amount=amount)


def flat(amount: str, currency: str = "USD") -> price_terms_pb2.ChargeModel:
    """The same for every unit."""
    unit_price = money_pb2.Money(currency=currency, amount=amount)
    return price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=unit_price))


def fee(
    amount: str,
    currency: str = "USD",
    *,
    rule: str = "FREQ=MONTHLY",
    customer_id: str | None = None,
) -> plan_pb2.NewPrice:
    """A price of one fixed fee."""
    component = price_pb2.PriceComponent(
        name="Fee",
        kind=price_pb2.COMPONENT_KIND_FIXED,
        recurrence_rule=rule,
        charge=flat(amount, currency),
    )
    return plan_pb2.NewPrice(
        currency=currency, components=[component], private_customer_id=customer_id
    )
