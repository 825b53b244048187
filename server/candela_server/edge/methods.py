"""What each RPC needs before it runs: a scope by default rule, and the spec ids an unserved one waits for.

The rule: a method declared NO_SIDE_EFFECTS needs "read", any other "write"; the lists below name the exceptions. A
test walks every method of the contract, so that a new one cannot slip in without a scope.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from candela_server.kernel.caller import Scope

ADMIN_SERVICES = frozenset(
    {
        "candela.merchant.v1.ApiKeyService",
        "candela.merchant.v1.AuditService",
        "candela.merchant.v1.WebhookEndpointService",
        "candela.payment.v1.ProviderService",
    }
)
ADMIN_METHODS = frozenset(
    {
        "candela.merchant.v1.MerchantService/UpdateMerchant",
        "candela.billing.v1.TaxService/UpdateTaxSettings",
        "candela.payment.v1.DunningService/UpdateDunningPolicy",
    }
)
PUBLIC_METHODS = frozenset(
    {
        "candela.catalog.v1.PricingTableService/GetPublicPricingTable",
        "candela.payment.v1.CheckoutService/CreateCheckout",
        "candela.payment.v1.CheckoutService/GetCheckout",
    }
)
# What the methods of services that are not served wait for.
AWAITED_SPEC_IDS = {
    "candela.merchant.v1.WebhookEndpointService": "OPS-4",
    "candela.payment.v1.PaymentService": "PAY-1, PAY-5",
    "candela.payment.v1.PaymentMethodService": "PAY-5",
    "candela.payment.v1.ProviderService": "PAY-1, PAY-2",
    "candela.payment.v1.CheckoutService": "PAY-6",
    "candela.payment.v1.DunningService": "PAY-5",
}


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC and what it needs. `name` is "candela.catalog.v1.PlanService/CreatePlan"; a served one awaits ""."""

    name: str
    scope: Scope
    awaited_spec_ids: str


def methods_of(service: ServiceDescriptor) -> dict[str, Method]:
    """The service's methods by their short name."""
    return {method.name: _method(service, method) for method in _each_method(service)}


def _each_method(service: ServiceDescriptor) -> Iterable[MethodDescriptor]:
    return list(service.methods)


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> Method:
    name = f"{service.full_name}/{method.name}"
    if name in PUBLIC_METHODS:
        scope = Scope.PUBLIC
    elif service.full_name in ADMIN_SERVICES or name in ADMIN_METHODS:
        scope = Scope.ADMIN
    elif method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS:
        scope = Scope.READ
    else:
        scope = Scope.WRITE
    return Method(name, scope, AWAITED_SPEC_IDS.get(service.full_name, ""))
