package candela

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	catalogv1 "github.com/candela-billing/candela/sdk/go/gen/candela/catalog/v1"
	meteringv1 "github.com/candela-billing/candela/sdk/go/gen/candela/metering/v1"
)

func TestLoopbackIsNotEncryptedAndEverythingElseIs(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:8430": true, "localhost:8430": true, "[::1]:8430": true, "unix:/run/candela.sock": true,
		"candela.example:443": false, "10.0.0.1:8430": false, "127.evil.example:8430": false,
	} {
		if got := isLoopback(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

func TestChangingRequestGetsOneKeyAndKeepsIt(t *testing.T) {
	request := &catalogv1.CreateFeatureRequest{}

	fill(t, request)
	first := request.GetIdempotencyKey()
	fill(t, request)

	if first == "" || request.GetIdempotencyKey() != first {
		t.Errorf("got %q and then %q, want one key", first, request.GetIdempotencyKey())
	}
}

func TestKeyOfTheCallerIsKept(t *testing.T) {
	request := &catalogv1.CreateFeatureRequest{IdempotencyKey: "mine"}

	fill(t, request)

	if got := request.GetIdempotencyKey(); got != "mine" {
		t.Errorf("got %q, want mine", got)
	}
}

func TestSubjectsNameTheRightField(t *testing.T) {
	event := &meteringv1.Event{}

	User("user-42").own(event)

	if got := event.GetExternalUserId(); got != "user-42" {
		t.Errorf("got %q, want user-42", got)
	}
}

func fill(t *testing.T, request any) {
	t.Helper()
	sent := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	if err := fillIdempotencyKey(context.Background(), "", request, nil, nil, sent); err != nil {
		t.Fatal(err)
	}
}
