"""Every service of the contract, with the room that serves it or with nobody.

A service without a room is registered all the same, so that each of its methods answers UNIMPLEMENTED with the spec
ids it waits for instead of being unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candela.billing.v1 import (
    billing_run_service_pb2_grpc,
    credit_note_service_pb2_grpc,
    invoice_service_pb2_grpc,
    preview_service_pb2_grpc,
    tax_service_pb2_grpc,
)
from candela.catalog.v1 import (
    credit_definition_service_pb2_grpc,
    feature_service_pb2_grpc,
    metric_service_pb2_grpc,
    plan_service_pb2_grpc,
    price_service_pb2_grpc,
    pricing_table_service_pb2_grpc,
)
from candela.credit.v1 import credit_service_pb2_grpc
from candela.customer.v1 import customer_service_pb2_grpc, user_service_pb2_grpc
from candela.entitlement.v1 import entitlement_service_pb2_grpc, reservation_service_pb2_grpc
from candela.merchant.v1 import (
    api_key_service_pb2_grpc,
    audit_service_pb2_grpc,
    merchant_service_pb2_grpc,
    test_clock_service_pb2_grpc,
    webhook_endpoint_service_pb2_grpc,
)
from candela.metering.v1 import ingestion_service_pb2_grpc, usage_service_pb2_grpc
from candela.payment.v1 import (
    checkout_service_pb2_grpc,
    dunning_service_pb2_grpc,
    payment_method_service_pb2_grpc,
    payment_service_pb2_grpc,
    provider_service_pb2_grpc,
)
from candela.subscription.v1 import (
    migration_service_pb2_grpc,
    seat_service_pb2_grpc,
    subscription_service_pb2_grpc,
)
from google.protobuf import descriptor_pool

from .grpc_server import Service

Room = object
"""A servicer: an instance of a generated base class."""

_MODULES = (
    api_key_service_pb2_grpc,
    audit_service_pb2_grpc,
    billing_run_service_pb2_grpc,
    checkout_service_pb2_grpc,
    credit_definition_service_pb2_grpc,
    credit_note_service_pb2_grpc,
    credit_service_pb2_grpc,
    customer_service_pb2_grpc,
    dunning_service_pb2_grpc,
    entitlement_service_pb2_grpc,
    feature_service_pb2_grpc,
    ingestion_service_pb2_grpc,
    invoice_service_pb2_grpc,
    merchant_service_pb2_grpc,
    metric_service_pb2_grpc,
    migration_service_pb2_grpc,
    payment_method_service_pb2_grpc,
    payment_service_pb2_grpc,
    plan_service_pb2_grpc,
    preview_service_pb2_grpc,
    price_service_pb2_grpc,
    pricing_table_service_pb2_grpc,
    provider_service_pb2_grpc,
    reservation_service_pb2_grpc,
    seat_service_pb2_grpc,
    subscription_service_pb2_grpc,
    tax_service_pb2_grpc,
    test_clock_service_pb2_grpc,
    usage_service_pb2_grpc,
    user_service_pb2_grpc,
    webhook_endpoint_service_pb2_grpc,
)


def services_of(rooms: Sequence[Room]) -> list[Service]:
    """One entry per service of the contract."""
    return [_service(module, rooms) for module in _MODULES]


def _service(module: Any, rooms: Sequence[Room]) -> Service:
    # Generated modules name everything after the service: "PlanServiceServicer", "add_PlanServiceServicer_to_server".
    base_name = next(name for name in vars(module) if name.endswith("ServiceServicer"))
    base = getattr(module, base_name)
    service_name = base_name.removesuffix("Servicer")
    package = module.__name__.rpartition(".")[0]
    return Service(
        descriptor=descriptor_pool.Default().FindServiceByName(f"{package}.{service_name}"),
        servicer=next((room for room in rooms if isinstance(room, base)), base()),
        base=base,
        register=getattr(module, f"add_{base_name}_to_server"),
    )
