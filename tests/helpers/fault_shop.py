"""A customer whose answers are known, for tests that ask while something is broken."""

from __future__ import annotations

from dataclasses import dataclass

from candela import Client
from candela.catalog.v1 import feature_pb2
from candela.customer.v1 import customer_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.subscription.v1 import feature_override_pb2

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh

INCLUDED = 100
"""How many premium messages each seat brings."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan: an on-off feature, and one that is counted by the events of its own name."""

    plan: str
    switch: str
    metered: str

    @classmethod
    def create(cls, candela: Client) -> Offer:
        """Sells a new plan, whose slugs no other test uses."""
        request = fresh_plan()
        for metric in request.metrics:
            metric.event_names[:] = [metric.slug]
        candela.plans.CreatePlan(request)
        switch, metered, _ = (granted.new_feature.slug for granted in request.features)
        return cls(request.slug, switch, metered)

    def sign_up(self, candela: Client) -> Holder:
        """A new customer with one seat and one user."""
        user = fresh("user")
        customer = sign_up(candela, fresh("x"), {user: "Ada"})
        subscription = subscribe(candela, customer.id, self.plan, 1)
        return Holder(self, customer, user, subscription.id)


@dataclass(frozen=True, slots=True)
class Holder:
    """A customer who holds the offer."""

    offer: Offer
    customer: customer_pb2.Customer
    user: str
    subscription_id: str

    def switch(self) -> pb.CheckRequest:
        """Asks for the feature that needs no counting."""
        return pb.CheckRequest(customer_id=self.customer.id, feature=self.offer.switch)

    def metered(self) -> pb.CheckRequest:
        """Asks for the feature that is counted."""
        return pb.CheckRequest(customer_id=self.customer.id, feature=self.offer.metered)

    def send(self, candela: Client, *values: str) -> None:
        """Sends events of the counted feature, and returns when they are acknowledged."""
        candela.ingestion.RecordEvents(
            ingestion_service_pb2.RecordEventsRequest(
                events=[
                    event_pb2.Event(
                        idempotency_key=fresh("key"),
                        name=self.offer.metered,
                        customer_id=self.customer.id,
                        value=value,
                    )
                    for value in values
                ]
            )
        )

    def override(self, candela: Client, on: bool) -> None:
        """Switches the on-off feature for this customer alone."""
        candela.subscriptions.SetFeatureOverride(
            feature_override_pb2.SetFeatureOverrideRequest(
                subscription_id=self.subscription_id,
                feature=feature_pb2.FeatureRef(slug=self.offer.switch),
                value=feature_pb2.FeatureValue(boolean=on),
            )
        )
