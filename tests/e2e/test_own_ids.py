"""Ids and names that people choose, over real gRPC: what looks like another is refused where it is given."""

from __future__ import annotations

import grpc
import pytest
from candela import Client, Failure
from candela.customer.v1 import (
    customer_pb2,
    customer_service_pb2,
    user_pb2,
    user_service_pb2,
)
from candela.merchant.v1 import api_key_pb2, api_key_service_pb2

from tests.helpers.names import fresh
from tests.helpers.refusing import refused


def _customer(candela: Client) -> customer_pb2.CustomerRef:
    made = candela.customers.CreateCustomer(customer_service_pb2.CreateCustomerRequest(name="Acme"))
    return customer_pb2.CustomerRef(id=made.customer.id)


def _wrong(failure: Failure) -> dict[str, str]:
    """What is wrong with each field."""
    return {one.field: one.description for one in failure.fields}


@pytest.mark.spec("ENT-7")
def test_customer_whose_id_and_name_mislead__is_refused_naming_both(candela: Client) -> None:
    got = refused(
        candela.customers.CreateCustomer,
        customer_service_pb2.CreateCustomerRequest(name="Ac\nme", external_id="acme "),
    )

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    wrong = _wrong(got)
    assert set(wrong) == {"name", "external_id"}
    assert "'acme '" in wrong["external_id"]


@pytest.mark.spec("ENT-7")
@pytest.mark.parametrize("wrong", ["\u200bacme", "ü" * 128], ids=["unseen", "256 bytes"])
def test_id_that_cannot_be_given__cannot_be_changed_to(candela: Client, wrong: str) -> None:
    who = _customer(candela)
    user = candela.users.CreateUser(user_service_pb2.CreateUserRequest(customer=who)).user

    of_customer = refused(
        candela.customers.UpdateCustomer,
        customer_service_pb2.UpdateCustomerRequest(customer=who, external_id=wrong),
    )
    of_user = refused(
        candela.users.UpdateUser,
        user_service_pb2.UpdateUserRequest(user=user_pb2.UserRef(id=user.id), external_id=wrong),
    )

    assert set(_wrong(of_customer)) == set(_wrong(of_user)) == {"external_id"}


@pytest.mark.spec("ENT-7")
def test_external_id_emptied__is_removed(candela: Client) -> None:
    own = fresh("own")
    made = candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Acme", external_id=own)
    ).customer

    got = candela.customers.UpdateCustomer(
        customer_service_pb2.UpdateCustomerRequest(
            customer=customer_pb2.CustomerRef(external_id=own), external_id=""
        )
    ).customer

    assert (made.external_id, got.HasField("external_id")) == (own, False)


@pytest.mark.spec("ENT-7")
def test_id_that_could_not_be_given__points_at_nobody(candela: Client) -> None:
    got = refused(
        candela.customers.GetCustomer,
        customer_service_pb2.GetCustomerRequest(
            customer=customer_pb2.CustomerRef(external_id="acme\n")
        ),
    )

    assert (got.code, got.reason) == (
        grpc.StatusCode.NOT_FOUND,
        "ERROR_REASON_CUSTOMER_NOT_FOUND",
    )
    assert "'acme\\n'" in got.message


@pytest.mark.spec("KEY-2", "AUD-2")
def test_key_whose_name_and_idempotency_key_mislead__is_refused_by_each(candela: Client) -> None:
    request = api_key_service_pb2.CreateApiKeyRequest(
        name="billing\n",
        kind=api_key_pb2.API_KEY_KIND_SECRET,
        scopes=[api_key_pb2.API_KEY_SCOPE_READ],
    )
    by_name = refused(candela.api_keys.CreateApiKey, request)
    request.name, request.idempotency_key = "billing", " once"
    by_key = refused(candela.api_keys.CreateApiKey, request)

    assert set(_wrong(by_name)) == {"name"}
    assert set(_wrong(by_key)) == {"idempotency_key"}
    assert "' once'" in _wrong(by_key)["idempotency_key"]


@pytest.mark.spec("ENT-7")
def test_id_that_somebody_has__is_refused_naming_it(candela: Client) -> None:
    own, who = fresh("own"), _customer(candela)
    candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Acme", external_id=own)
    )
    candela.users.CreateUser(user_service_pb2.CreateUserRequest(customer=who, external_id=own))
    other = candela.users.CreateUser(user_service_pb2.CreateUserRequest(customer=who)).user

    got = [
        refused(
            candela.customers.CreateCustomer,
            customer_service_pb2.CreateCustomerRequest(name="Acme", external_id=own),
        ),
        refused(
            candela.customers.UpdateCustomer,
            customer_service_pb2.UpdateCustomerRequest(customer=who, external_id=own),
        ),
        refused(
            candela.users.CreateUser,
            user_service_pb2.CreateUserRequest(customer=who, external_id=own),
        ),
        refused(
            candela.users.UpdateUser,
            user_service_pb2.UpdateUserRequest(user=user_pb2.UserRef(id=other.id), external_id=own),
        ),
    ]

    assert {one.code for one in got} == {grpc.StatusCode.ALREADY_EXISTS}
    assert all(repr(own) in one.message for one in got)
