"""Every service of the contract, as one attribute each; the same list serves the blocking and the async client."""

from __future__ import annotations

import grpc
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


class Services:
    """The whole API with types: one attribute per service, one method per RPC."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Binds every service to one channel."""
        self.merchant = merchant_service_pb2_grpc.MerchantServiceStub(channel)
        self.api_keys = api_key_service_pb2_grpc.ApiKeyServiceStub(channel)
        self.audit = audit_service_pb2_grpc.AuditServiceStub(channel)
        self.test_clocks = test_clock_service_pb2_grpc.TestClockServiceStub(channel)
        self.webhook_endpoints = webhook_endpoint_service_pb2_grpc.WebhookEndpointServiceStub(
            channel
        )
        self.customers = customer_service_pb2_grpc.CustomerServiceStub(channel)
        self.users = user_service_pb2_grpc.UserServiceStub(channel)
        self.features = feature_service_pb2_grpc.FeatureServiceStub(channel)
        self.metrics = metric_service_pb2_grpc.MetricServiceStub(channel)
        self.plans = plan_service_pb2_grpc.PlanServiceStub(channel)
        self.prices = price_service_pb2_grpc.PriceServiceStub(channel)
        self.credit_definitions = credit_definition_service_pb2_grpc.CreditDefinitionServiceStub(
            channel
        )
        self.pricing_tables = pricing_table_service_pb2_grpc.PricingTableServiceStub(channel)
        self.ingestion = ingestion_service_pb2_grpc.IngestionServiceStub(channel)
        self.usage = usage_service_pb2_grpc.UsageServiceStub(channel)
        self.credits = credit_service_pb2_grpc.CreditServiceStub(channel)
        self.subscriptions = subscription_service_pb2_grpc.SubscriptionServiceStub(channel)
        self.seats = seat_service_pb2_grpc.SeatServiceStub(channel)
        self.migrations = migration_service_pb2_grpc.MigrationServiceStub(channel)
        self.entitlements = entitlement_service_pb2_grpc.EntitlementServiceStub(channel)
        self.reservations = reservation_service_pb2_grpc.ReservationServiceStub(channel)
        self.invoices = invoice_service_pb2_grpc.InvoiceServiceStub(channel)
        self.previews = preview_service_pb2_grpc.PreviewServiceStub(channel)
        self.credit_notes = credit_note_service_pb2_grpc.CreditNoteServiceStub(channel)
        self.billing_runs = billing_run_service_pb2_grpc.BillingRunServiceStub(channel)
        self.taxes = tax_service_pb2_grpc.TaxServiceStub(channel)
        self.payments = payment_service_pb2_grpc.PaymentServiceStub(channel)
        self.payment_methods = payment_method_service_pb2_grpc.PaymentMethodServiceStub(channel)
        self.providers = provider_service_pb2_grpc.ProviderServiceStub(channel)
        self.checkouts = checkout_service_pb2_grpc.CheckoutServiceStub(channel)
        self.dunning = dunning_service_pb2_grpc.DunningServiceStub(channel)
