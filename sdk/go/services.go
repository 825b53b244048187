package candela

import (
	"google.golang.org/grpc"

	billingv1 "github.com/candela-billing/candela/sdk/go/gen/candela/billing/v1"
	catalogv1 "github.com/candela-billing/candela/sdk/go/gen/candela/catalog/v1"
	creditv1 "github.com/candela-billing/candela/sdk/go/gen/candela/credit/v1"
	customerv1 "github.com/candela-billing/candela/sdk/go/gen/candela/customer/v1"
	entitlementv1 "github.com/candela-billing/candela/sdk/go/gen/candela/entitlement/v1"
	merchantv1 "github.com/candela-billing/candela/sdk/go/gen/candela/merchant/v1"
	meteringv1 "github.com/candela-billing/candela/sdk/go/gen/candela/metering/v1"
	paymentv1 "github.com/candela-billing/candela/sdk/go/gen/candela/payment/v1"
	subscriptionv1 "github.com/candela-billing/candela/sdk/go/gen/candela/subscription/v1"
)

// Services is the whole API with types: one field per service, one method per RPC.
type Services struct {
	Merchant          merchantv1.MerchantServiceClient
	APIKeys           merchantv1.ApiKeyServiceClient
	Audit             merchantv1.AuditServiceClient
	TestClocks        merchantv1.TestClockServiceClient
	WebhookEndpoints  merchantv1.WebhookEndpointServiceClient
	Customers         customerv1.CustomerServiceClient
	Users             customerv1.UserServiceClient
	Features          catalogv1.FeatureServiceClient
	Metrics           catalogv1.MetricServiceClient
	Plans             catalogv1.PlanServiceClient
	Prices            catalogv1.PriceServiceClient
	CreditDefinitions catalogv1.CreditDefinitionServiceClient
	PricingTables     catalogv1.PricingTableServiceClient
	Ingestion         meteringv1.IngestionServiceClient
	Usage             meteringv1.UsageServiceClient
	Credits           creditv1.CreditServiceClient
	Subscriptions     subscriptionv1.SubscriptionServiceClient
	Seats             subscriptionv1.SeatServiceClient
	Migrations        subscriptionv1.MigrationServiceClient
	Entitlements      entitlementv1.EntitlementServiceClient
	Reservations      entitlementv1.ReservationServiceClient
	Invoices          billingv1.InvoiceServiceClient
	Previews          billingv1.PreviewServiceClient
	CreditNotes       billingv1.CreditNoteServiceClient
	BillingRuns       billingv1.BillingRunServiceClient
	Taxes             billingv1.TaxServiceClient
	Payments          paymentv1.PaymentServiceClient
	PaymentMethods    paymentv1.PaymentMethodServiceClient
	Providers         paymentv1.ProviderServiceClient
	Checkouts         paymentv1.CheckoutServiceClient
	Dunning           paymentv1.DunningServiceClient
}

func newServices(connection grpc.ClientConnInterface) Services {
	return Services{
		Merchant:          merchantv1.NewMerchantServiceClient(connection),
		APIKeys:           merchantv1.NewApiKeyServiceClient(connection),
		Audit:             merchantv1.NewAuditServiceClient(connection),
		TestClocks:        merchantv1.NewTestClockServiceClient(connection),
		WebhookEndpoints:  merchantv1.NewWebhookEndpointServiceClient(connection),
		Customers:         customerv1.NewCustomerServiceClient(connection),
		Users:             customerv1.NewUserServiceClient(connection),
		Features:          catalogv1.NewFeatureServiceClient(connection),
		Metrics:           catalogv1.NewMetricServiceClient(connection),
		Plans:             catalogv1.NewPlanServiceClient(connection),
		Prices:            catalogv1.NewPriceServiceClient(connection),
		CreditDefinitions: catalogv1.NewCreditDefinitionServiceClient(connection),
		PricingTables:     catalogv1.NewPricingTableServiceClient(connection),
		Ingestion:         meteringv1.NewIngestionServiceClient(connection),
		Usage:             meteringv1.NewUsageServiceClient(connection),
		Credits:           creditv1.NewCreditServiceClient(connection),
		Subscriptions:     subscriptionv1.NewSubscriptionServiceClient(connection),
		Seats:             subscriptionv1.NewSeatServiceClient(connection),
		Migrations:        subscriptionv1.NewMigrationServiceClient(connection),
		Entitlements:      entitlementv1.NewEntitlementServiceClient(connection),
		Reservations:      entitlementv1.NewReservationServiceClient(connection),
		Invoices:          billingv1.NewInvoiceServiceClient(connection),
		Previews:          billingv1.NewPreviewServiceClient(connection),
		CreditNotes:       billingv1.NewCreditNoteServiceClient(connection),
		BillingRuns:       billingv1.NewBillingRunServiceClient(connection),
		Taxes:             billingv1.NewTaxServiceClient(connection),
		Payments:          paymentv1.NewPaymentServiceClient(connection),
		PaymentMethods:    paymentv1.NewPaymentMethodServiceClient(connection),
		Providers:         paymentv1.NewProviderServiceClient(connection),
		Checkouts:         paymentv1.NewCheckoutServiceClient(connection),
		Dunning:           paymentv1.NewDunningServiceClient(connection),
	}
}
