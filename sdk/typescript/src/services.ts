import { createClient, type Client, type Transport } from "@connectrpc/connect";

import { BillingRunService } from "./gen/candela/billing/v1/billing_run_service_pb.js";
import { CreditNoteService } from "./gen/candela/billing/v1/credit_note_service_pb.js";
import { InvoiceService } from "./gen/candela/billing/v1/invoice_service_pb.js";
import { PreviewService } from "./gen/candela/billing/v1/preview_service_pb.js";
import { TaxService } from "./gen/candela/billing/v1/tax_service_pb.js";
import { CreditDefinitionService } from "./gen/candela/catalog/v1/credit_definition_service_pb.js";
import { FeatureService } from "./gen/candela/catalog/v1/feature_service_pb.js";
import { MetricService } from "./gen/candela/catalog/v1/metric_service_pb.js";
import { PlanService } from "./gen/candela/catalog/v1/plan_service_pb.js";
import { PriceService } from "./gen/candela/catalog/v1/price_service_pb.js";
import { PricingTableService } from "./gen/candela/catalog/v1/pricing_table_service_pb.js";
import { CreditService } from "./gen/candela/credit/v1/credit_service_pb.js";
import { CustomerService } from "./gen/candela/customer/v1/customer_service_pb.js";
import { UserService } from "./gen/candela/customer/v1/user_service_pb.js";
import { EntitlementService } from "./gen/candela/entitlement/v1/entitlement_service_pb.js";
import { ReservationService } from "./gen/candela/entitlement/v1/reservation_service_pb.js";
import { ApiKeyService } from "./gen/candela/merchant/v1/api_key_service_pb.js";
import { AuditService } from "./gen/candela/merchant/v1/audit_service_pb.js";
import { MerchantService } from "./gen/candela/merchant/v1/merchant_service_pb.js";
import { TestClockService } from "./gen/candela/merchant/v1/test_clock_service_pb.js";
import { WebhookEndpointService } from "./gen/candela/merchant/v1/webhook_endpoint_service_pb.js";
import { IngestionService } from "./gen/candela/metering/v1/ingestion_service_pb.js";
import { UsageService } from "./gen/candela/metering/v1/usage_service_pb.js";
import { CheckoutService } from "./gen/candela/payment/v1/checkout_service_pb.js";
import { DunningService } from "./gen/candela/payment/v1/dunning_service_pb.js";
import { PaymentMethodService } from "./gen/candela/payment/v1/payment_method_service_pb.js";
import { PaymentService } from "./gen/candela/payment/v1/payment_service_pb.js";
import { ProviderService } from "./gen/candela/payment/v1/provider_service_pb.js";
import { MigrationService } from "./gen/candela/subscription/v1/migration_service_pb.js";
import { SeatService } from "./gen/candela/subscription/v1/seat_service_pb.js";
import { SubscriptionService } from "./gen/candela/subscription/v1/subscription_service_pb.js";

/** The whole API with types: one property per service, one method per RPC. */
export interface Services {
  readonly merchant: Client<typeof MerchantService>;
  readonly apiKeys: Client<typeof ApiKeyService>;
  readonly audit: Client<typeof AuditService>;
  readonly testClocks: Client<typeof TestClockService>;
  readonly webhookEndpoints: Client<typeof WebhookEndpointService>;
  readonly customers: Client<typeof CustomerService>;
  readonly users: Client<typeof UserService>;
  readonly features: Client<typeof FeatureService>;
  readonly metrics: Client<typeof MetricService>;
  readonly plans: Client<typeof PlanService>;
  readonly prices: Client<typeof PriceService>;
  readonly creditDefinitions: Client<typeof CreditDefinitionService>;
  readonly pricingTables: Client<typeof PricingTableService>;
  readonly ingestion: Client<typeof IngestionService>;
  readonly usage: Client<typeof UsageService>;
  readonly credits: Client<typeof CreditService>;
  readonly subscriptions: Client<typeof SubscriptionService>;
  readonly seats: Client<typeof SeatService>;
  readonly migrations: Client<typeof MigrationService>;
  readonly entitlements: Client<typeof EntitlementService>;
  readonly reservations: Client<typeof ReservationService>;
  readonly invoices: Client<typeof InvoiceService>;
  readonly previews: Client<typeof PreviewService>;
  readonly creditNotes: Client<typeof CreditNoteService>;
  readonly billingRuns: Client<typeof BillingRunService>;
  readonly taxes: Client<typeof TaxService>;
  readonly payments: Client<typeof PaymentService>;
  readonly paymentMethods: Client<typeof PaymentMethodService>;
  readonly providers: Client<typeof ProviderService>;
  readonly checkouts: Client<typeof CheckoutService>;
  readonly dunning: Client<typeof DunningService>;
}

/** Binds every service to one transport. */
export function createServices(transport: Transport): Services {
  return {
    merchant: createClient(MerchantService, transport),
    apiKeys: createClient(ApiKeyService, transport),
    audit: createClient(AuditService, transport),
    testClocks: createClient(TestClockService, transport),
    webhookEndpoints: createClient(WebhookEndpointService, transport),
    customers: createClient(CustomerService, transport),
    users: createClient(UserService, transport),
    features: createClient(FeatureService, transport),
    metrics: createClient(MetricService, transport),
    plans: createClient(PlanService, transport),
    prices: createClient(PriceService, transport),
    creditDefinitions: createClient(CreditDefinitionService, transport),
    pricingTables: createClient(PricingTableService, transport),
    ingestion: createClient(IngestionService, transport),
    usage: createClient(UsageService, transport),
    credits: createClient(CreditService, transport),
    subscriptions: createClient(SubscriptionService, transport),
    seats: createClient(SeatService, transport),
    migrations: createClient(MigrationService, transport),
    entitlements: createClient(EntitlementService, transport),
    reservations: createClient(ReservationService, transport),
    invoices: createClient(InvoiceService, transport),
    previews: createClient(PreviewService, transport),
    creditNotes: createClient(CreditNoteService, transport),
    billingRuns: createClient(BillingRunService, transport),
    taxes: createClient(TaxService, transport),
    payments: createClient(PaymentService, transport),
    paymentMethods: createClient(PaymentMethodService, transport),
    providers: createClient(ProviderService, transport),
    checkouts: createClient(CheckoutService, transport),
    dunning: createClient(DunningService, transport),
  };
}
