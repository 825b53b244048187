// Package smoke calls a live server through the Go SDK: CANDELA_ADDRESS and CANDELA_API_KEY say which.
package smoke

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	candela "github.com/candela-billing/candela/sdk/go"
	catalogv1 "github.com/candela-billing/candela/sdk/go/gen/candela/catalog/v1"
	customerv1 "github.com/candela-billing/candela/sdk/go/gen/candela/customer/v1"
	merchantv1 "github.com/candela-billing/candela/sdk/go/gen/candela/merchant/v1"
	meteringv1 "github.com/candela-billing/candela/sdk/go/gen/candela/metering/v1"
	subscriptionv1 "github.com/candela-billing/candela/sdk/go/gen/candela/subscription/v1"
	typev1 "github.com/candela-billing/candela/sdk/go/gen/candela/type/v1"
)

var worlds atomic.Int64

type world struct {
	client                   *candela.Client
	user, customer           string
	analytics, messages, use string
}

// newWorld sells a plan with a boolean and a counted feature to a customer with one user.
func newWorld(ctx context.Context, t *testing.T) world {
	t.Helper()
	// Names of this world's own, which never read like a key or a number.
	mark := fmt.Sprintf("go-%d-%d", os.Getpid(), worlds.Add(1))
	w := world{
		client: dial(t, os.Getenv("CANDELA_API_KEY")), user: "user-" + mark, customer: "acme-" + mark,
		analytics: "analytics-" + mark, messages: "messages-" + mark, use: "message-" + mark,
	}
	_, err := w.client.Customers.CreateCustomer(ctx, &customerv1.CreateCustomerRequest{
		Name: "Acme", ExternalId: &w.customer,
	})
	must(t, err)
	_, err = w.client.Users.CreateUser(ctx, &customerv1.CreateUserRequest{
		Customer:   &customerv1.CustomerRef{Ref: &customerv1.CustomerRef_ExternalId{ExternalId: w.customer}},
		ExternalId: &w.user, Name: "Ada",
	})
	must(t, err)
	_, err = w.client.Plans.CreatePlan(ctx, &catalogv1.CreatePlanRequest{
		Slug: "plan-" + mark, Name: "Team",
		Metrics: []*catalogv1.NewMetric{{
			Slug: w.messages, Name: "Messages", Aggregation: catalogv1.Aggregation_AGGREGATION_SUM,
			EventNames: []string{w.use},
		}},
		Features: []*catalogv1.PlanFeatureInput{
			granted(&catalogv1.NewFeature{
				Slug: w.analytics, Name: "Analytics", Type: catalogv1.FeatureType_FEATURE_TYPE_BOOLEAN,
			}, nil),
			granted(&catalogv1.NewFeature{
				Slug: w.messages, Name: "Messages", Type: catalogv1.FeatureType_FEATURE_TYPE_NUMBER,
				Metric: &catalogv1.MetricRef{Ref: &catalogv1.MetricRef_Slug{Slug: w.messages}},
			}, &catalogv1.FeatureValue{Value: &catalogv1.FeatureValue_Number{Number: "10"}}),
		},
		Prices: []*catalogv1.NewPrice{{Name: "Monthly", Currency: "USD", Components: []*catalogv1.PriceComponent{{
			Name: "Seat", Kind: catalogv1.ComponentKind_COMPONENT_KIND_PER_UNIT, RecurrenceRule: "FREQ=MONTHLY",
			Timing: catalogv1.BillingTiming_BILLING_TIMING_IN_ADVANCE,
			Charge: &catalogv1.ChargeModel{Model: &catalogv1.ChargeModel_Flat{Flat: &catalogv1.FlatCharge{
				UnitPrice: &typev1.Money{Currency: "USD", Amount: "30"},
			}}},
		}}}},
	})
	must(t, err)
	_, err = w.client.Subscriptions.CreateSubscription(ctx, &subscriptionv1.CreateSubscriptionRequest{
		Customer: &customerv1.CustomerRef{Ref: &customerv1.CustomerRef_ExternalId{ExternalId: w.customer}},
		Plan:     &catalogv1.PlanRef{Ref: &catalogv1.PlanRef_Slug{Slug: "plan-" + mark}},
	})
	must(t, err)
	return w
}

func granted(feature *catalogv1.NewFeature, value *catalogv1.FeatureValue) *catalogv1.PlanFeatureInput {
	return &catalogv1.PlanFeatureInput{
		Feature: &catalogv1.PlanFeatureInput_NewFeature{NewFeature: feature}, Value: value,
	}
}

func TestEverydayCalls(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w := newWorld(ctx, t)

	entitled, err := w.client.IsFeatureEntitled(ctx, w.analytics, candela.User(w.user))
	must(t, err)
	if !entitled {
		t.Error("a boolean feature of the plan: want entitled")
	}

	outcomes := []meteringv1.EventOutcome{}
	for range 2 {
		sent, err := w.client.SendEvent(ctx, w.use, candela.User(w.user), candela.Value("2.5"),
			candela.IdempotencyKey(w.use), candela.Properties(map[string]any{"model": "large"}))
		must(t, err)
		outcomes = append(outcomes, sent.GetOutcome())
	}
	if outcomes[0] != meteringv1.EventOutcome_EVENT_OUTCOME_ACCEPTED ||
		outcomes[1] != meteringv1.EventOutcome_EVENT_OUTCOME_DEDUPLICATED {
		t.Errorf("the same event twice: got %v, want accepted and then deduplicated", outcomes)
	}

	usage, err := w.client.GetUsage(ctx, candela.User(w.user))
	must(t, err)
	used := map[string]string{}
	for _, one := range usage.GetFeatures() {
		used[one.GetFeature()] = one.GetUsage().GetUsed()
	}
	if used[w.messages] != "2.5" {
		t.Errorf("used: got %q, want 2.5 of %s", used, w.messages)
	}
}

func TestUnknownFeature(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w := newWorld(ctx, t)

	_, err := w.client.IsFeatureEntitled(ctx, "no-such-feature", candela.ExternalCustomer(w.customer))

	if got := reason(err); status.Code(err) != codes.NotFound || got != "ERROR_REASON_FEATURE_NOT_FOUND" {
		t.Errorf("got %v with %q, want NOT_FOUND with ERROR_REASON_FEATURE_NOT_FOUND", err, got)
	}
}

func TestWrongKey(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	_, err := dial(t, "sk_test_wrong").Merchant.GetMerchant(ctx, &merchantv1.GetMerchantRequest{})

	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("got %v, want UNAUTHENTICATED", err)
	}
}

func dial(t *testing.T, key string) *candela.Client {
	t.Helper()
	address := os.Getenv("CANDELA_ADDRESS")
	if address == "" {
		t.Skip("CANDELA_ADDRESS and CANDELA_API_KEY name no server")
	}
	client, err := candela.Dial(address, key)
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
