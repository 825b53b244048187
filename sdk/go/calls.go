package candela

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	entitlementv1 "github.com/candela-billing/candela/sdk/go/gen/candela/entitlement/v1"
	meteringv1 "github.com/candela-billing/candela/sdk/go/gen/candela/metering/v1"
)

// CheckOption refines a question.
type CheckOption func(*entitlementv1.CheckRequest)

// Quantity asks whether that much more would still be allowed: a plain decimal, 1 unless given.
func Quantity(quantity string) CheckOption {
	return func(request *entitlementv1.CheckRequest) { request.Quantity = &quantity }
}

// IsFeatureEntitled tells whether the subject may use a feature now (SDK-1).
//
// An unknown feature slug is an error, never a "no".
func (c *Client) IsFeatureEntitled(
	ctx context.Context, feature string, subject Subject, options ...CheckOption,
) (bool, error) {
	response, err := c.CheckFeature(ctx, feature, subject, options...)
	if err != nil {
		return false, err
	}
	return response.GetEntitlement().GetEntitled(), nil
}

// CheckFeature answers as IsFeatureEntitled does, with the value, the usage, the source and the reason of a denial.
func (c *Client) CheckFeature(
	ctx context.Context, feature string, subject Subject, options ...CheckOption,
) (*entitlementv1.CheckResponse, error) {
	request := &entitlementv1.CheckRequest{Feature: feature}
	subject.ask(request)
	for _, option := range options {
		option(request)
	}
	return c.Entitlements.Check(ctx, request)
}

// GetUsage tells what was used of each usage feature in the current window, with limits and credits (SDK-1).
func (c *Client) GetUsage(ctx context.Context, subject Subject) (*entitlementv1.GetFeatureUsageResponse, error) {
	request := &entitlementv1.GetFeatureUsageRequest{}
	subject.askUsage(request)
	return c.Entitlements.GetFeatureUsage(ctx, request)
}

type eventSettings struct {
	event      *meteringv1.Event
	properties map[string]any
}

// EventOption adds to an event.
type EventOption func(*eventSettings)

// Value is how much happened: a plain decimal such as "12.5"; 1 unless given. A text, because a float is not exact.
func Value(value string) EventOption {
	return func(s *eventSettings) { s.event.Value = &value }
}

// At is when it happened; the instant of receipt unless given.
func At(instant time.Time) EventOption {
	return func(s *eventSettings) { s.event.Timestamp = timestamppb.New(instant) }
}

// Properties are flat: strings, numbers and booleans by name.
func Properties(properties map[string]any) EventOption {
	return func(s *eventSettings) { s.properties = properties }
}

// IdempotencyKey names the fact, so that sending it again counts once, even from another process. One is made unless
// given.
func IdempotencyKey(key string) EventOption {
	return func(s *eventSettings) { s.event.IdempotencyKey = key }
}

// SendEvent records one usage event, counted exactly once (SDK-1). When it returns, the event is durable and the next
// check counts it.
func (c *Client) SendEvent(
	ctx context.Context, name string, subject Subject, options ...EventOption,
) (*meteringv1.RecordEventResponse, error) {
	made := eventSettings{event: &meteringv1.Event{Name: name, IdempotencyKey: newKey()}}
	subject.own(made.event)
	for _, option := range options {
		option(&made)
	}
	if len(made.properties) > 0 {
		encoded, err := json.Marshal(made.properties)
		if err != nil {
			return nil, fmt.Errorf("candela: the properties of %q: %w", name, err)
		}
		made.event.PropertiesJson = encoded
	}
	return c.Ingestion.RecordEvent(ctx, &meteringv1.RecordEventRequest{Event: made.event})
}
