package candela

import (
	entitlementv1 "github.com/candela-billing/candela/sdk/go/gen/candela/entitlement/v1"
	meteringv1 "github.com/candela-billing/candela/sdk/go/gen/candela/metering/v1"
)

type subjectKind int

const (
	byUser subjectKind = iota
	byCustomer
	byExternalCustomer
)

// Subject is who is asked about, or whose usage is sent: User, Customer or ExternalCustomer makes one.
type Subject struct {
	kind subjectKind
	id   string
}

// User is one of your users, by your own id; it stands for the customer that the user acts for.
func User(id string) Subject { return Subject{byUser, id} }

// Customer is a customer by Candela's id ("cus_…").
func Customer(id string) Subject { return Subject{byCustomer, id} }

// ExternalCustomer is a customer by your own id.
func ExternalCustomer(id string) Subject { return Subject{byExternalCustomer, id} }

func (s Subject) ask(request *entitlementv1.CheckRequest) {
	switch s.kind {
	case byCustomer:
		request.Who = &entitlementv1.CheckRequest_CustomerId{CustomerId: s.id}
	case byExternalCustomer:
		request.Who = &entitlementv1.CheckRequest_ExternalCustomerId{ExternalCustomerId: s.id}
	default:
		request.Who = &entitlementv1.CheckRequest_ExternalUserId{ExternalUserId: s.id}
	}
}

func (s Subject) askUsage(request *entitlementv1.GetFeatureUsageRequest) {
	switch s.kind {
	case byCustomer:
		request.Who = &entitlementv1.GetFeatureUsageRequest_CustomerId{CustomerId: s.id}
	case byExternalCustomer:
		request.Who = &entitlementv1.GetFeatureUsageRequest_ExternalCustomerId{ExternalCustomerId: s.id}
	default:
		request.Who = &entitlementv1.GetFeatureUsageRequest_ExternalUserId{ExternalUserId: s.id}
	}
}

func (s Subject) own(event *meteringv1.Event) {
	switch s.kind {
	case byCustomer:
		event.Customer = &meteringv1.Event_CustomerId{CustomerId: s.id}
	case byExternalCustomer:
		event.Customer = &meteringv1.Event_ExternalCustomerId{ExternalCustomerId: s.id}
	default:
		event.User = &meteringv1.Event_ExternalUserId{ExternalUserId: s.id}
	}
}
