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
# What an unserved method waits for: by method where one differs, else by service.
AWAITED_SPEC_IDS = {
    "candela.merchant.v1.MerchantService": "KEY-2",
    "candela.merchant.v1.ApiKeyService": "KEY-2",
    "candela.merchant.v1.AuditService": "AUD-1",
    "candela.merchant.v1.TestClockService": "OPS-2",
    "candela.merchant.v1.WebhookEndpointService": "OPS-4",
    "candela.customer.v1.CustomerService": "SUB-6",
    "candela.customer.v1.UserService": "ENT-7",
    "candela.catalog.v1.FeatureService": "CAT-2, CAT-8",
    "candela.catalog.v1.MetricService": "CAT-2, EVT-5",
    "candela.catalog.v1.PlanService": "CAT-2, CAT-3, CAT-9",
    "candela.catalog.v1.PriceService": "CAT-2, CAT-5, CAT-7",
    "candela.catalog.v1.CreditDefinitionService": "CRD-3",
    "candela.catalog.v1.PricingTableService": "PUB-1",
    "candela.metering.v1.IngestionService": "EVT-4",
    "candela.metering.v1.UsageService": "EVT-6",
    "candela.credit.v1.CreditService": "CRD-9, CRD-10",
    "candela.subscription.v1.SubscriptionService": "SUB-4, SUB-5, SUB-6, SUB-8",
    "candela.subscription.v1.SeatService": "SEAT-1, SEAT-2, SEAT-3, SEAT-4",
    "candela.subscription.v1.MigrationService": "CAT-9",
    "candela.entitlement.v1.EntitlementService": "ENT-8",
    "candela.entitlement.v1.ReservationService": "ENT-9",
    "candela.billing.v1.InvoiceService": "INV-6, INV-7",
    "candela.billing.v1.PreviewService": "SUB-6",
    "candela.billing.v1.CreditNoteService": "INV-6",
    "candela.billing.v1.BillingRunService": "INV-1",
    "candela.billing.v1.TaxService": "TAX-2",
    "candela.payment.v1.PaymentService": "PAY-1, PAY-5",
    "candela.payment.v1.PaymentMethodService": "PAY-5",
    "candela.payment.v1.ProviderService": "PAY-1, PAY-2",
    "candela.payment.v1.CheckoutService": "PAY-6",
    "candela.payment.v1.DunningService": "PAY-5",
}


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC and what it needs. `name` is "candela.catalog.v1.PlanService/CreatePlan"."""

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
    return Method(name, scope, AWAITED_SPEC_IDS[service.full_name])
