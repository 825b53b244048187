package candela

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const idempotencyKeyField = protoreflect.Name("idempotency_key")

// fillIdempotencyKey gives a changing request a key of its own, unless the caller chose one.
//
// The key stays in the request, so that a caller who sends the same request again changes nothing twice.
func fillIdempotencyKey(ctx context.Context, method string, request, response any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if message, ok := request.(proto.Message); ok {
		reflected := message.ProtoReflect()
		field := reflected.Descriptor().Fields().ByName(idempotencyKeyField)
		if field != nil && field.Kind() == protoreflect.StringKind && reflected.Get(field).String() == "" {
			reflected.Set(field, protoreflect.ValueOfString(newKey()))
		}
	}
	return invoke(ctx, method, request, response, connection, options...)
}

// newKey is 128 random bits.
func newKey() string {
	var bits [16]byte
	// It never fails: crypto/rand ends the program where the system has no randomness.
	_, _ = rand.Read(bits[:])
	return hex.EncodeToString(bits[:])
}
