"""What a request to subscribe may say (SUB-1)."""

from __future__ import annotations

import pytest
from candela.catalog.v1 import plan_pb2
from candela.customer.v1 import customer_pb2
from candela.subscription.v1 import subscription_service_pb2

from candela_server.kernel.errors import InvalidInput
from candela_server.subscription.wire import create_subscription_from_proto


def request(seats: str) -> subscription_service_pb2.CreateSubscriptionRequest:
    return subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(external_id="acme"),
        plan=plan_pb2.PlanRef(slug="team"),
        seats=seats,
    )


@pytest.mark.spec("SUB-1")
@pytest.mark.parametrize("seats", ["-5", "0", "2.5", "1e3", "NaN", ""])
def test_seats_that_cannot_be__are_refused_on_their_field(seats: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        create_subscription_from_proto(request(seats))

    assert [one.field for one in caught.value.violations] == ["seats"]


@pytest.mark.spec("SUB-1")
def test_whole_seats__are_taken() -> None:
    assert create_subscription_from_proto(request("5")).seats == 5
