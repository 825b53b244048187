"""The async client asks what the blocking one asks (SDK-1)."""

from __future__ import annotations

import pytest
from candela import AsyncClient, Client
from candela.catalog.v1 import feature_pb2, feature_service_pb2
from candela.customer.v1 import customer_service_pb2
from candela.entitlement.v1 import entitlement_pb2

from tests.helpers.servers import LiveServer


@pytest.mark.spec("SDK-1", "ENT-6")
async def test_check_of_a_feature__tells_the_value_and_the_source(
    live_server: LiveServer, candela: Client
) -> None:
    feature = feature_pb2.NewFeature(
        slug="async-seats-shown",
        name="Seats shown",
        type=feature_pb2.FEATURE_TYPE_NUMBER,
        default_value=feature_pb2.FeatureValue(number="3"),
    )
    candela.features.CreateFeature(feature_service_pb2.CreateFeatureRequest(feature=feature))
    made = candela.customers.CreateCustomer(customer_service_pb2.CreateCustomerRequest(name="Acme"))

    async with AsyncClient(live_server.address, live_server.secret_key) as client:
        checked = await client.check_feature("async-seats-shown", customer_id=made.customer.id)
        entitled = await client.is_feature_entitled(
            "async-seats-shown", customer_id=made.customer.id
        )

    assert checked.entitlement.value.number == "3"
    assert checked.entitlement.source == entitlement_pb2.ENTITLEMENT_SOURCE_DEFAULT
    assert entitled is checked.entitlement.entitled
