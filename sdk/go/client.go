// Package candela is Candela for Go: ask what a customer may do, send usage, and reach the whole API with types.
//
//	client, err := candela.Dial("127.0.0.1:8430", "sk_test_…")
//	if err != nil { … }
//	defer client.Close()
//
//	entitled, err := client.IsFeatureEntitled(ctx, "advanced-analytics", candela.User("user-42"))
//	_, err = client.SendEvent(ctx, "premium-message", candela.User("user-42"), candela.Value("1"))
//
// The messages and services of the contract are in gen/candela/<room>/v1; a Client has one field per service.
package candela

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	defaultTimeout  = 30 * time.Second
	maxMessageBytes = 16 << 20
	// Slower than the server's limit on pings, so that a quiet connection is kept and never punished.
	keepaliveTime    = 60 * time.Second
	keepaliveTimeout = 20 * time.Second
)

// A call that fails with UNAVAILABLE is tried again by gRPC with the same idempotency key, so that it takes effect once.
const serviceConfig = `{"methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 3,
	"retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// Client calls one Candela with one API key. It is safe for concurrent use; one per process is enough.
type Client struct {
	Services
	connection *grpc.ClientConn
}

type settings struct {
	tls     *tls.Config
	plain   bool
	timeout time.Duration
	dial    []grpc.DialOption
}

// Option changes how Dial connects.
type Option func(*settings)

// WithTLS encrypts with this configuration instead of the system's defaults.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) { s.tls, s.plain = config, false }
}

// WithPlaintext encrypts nothing, for a network that does so itself.
func WithPlaintext() Option {
	return func(s *settings) { s.tls, s.plain = nil, true }
}

// WithTimeout bounds calls whose context has no deadline; 30 seconds unless given, and never for streams.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// WithDialOptions hands options on to gRPC, after Candela's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

// Dial makes a client for the server at address ("host:port"). It connects with the first call.
//
// The connection is encrypted unless the address is the machine's own loopback.
func Dial(address, apiKey string, options ...Option) (*Client, error) {
	chosen := settings{tls: &tls.Config{MinVersion: tls.VersionTLS12}, plain: isLoopback(address), timeout: defaultTimeout}
	for _, option := range options {
		option(&chosen)
	}
	transport := insecure.NewCredentials()
	if !chosen.plain {
		transport = credentials.NewTLS(chosen.tls)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(apiKeyCredentials{key: apiKey, encrypted: !chosen.plain}),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithChainUnaryInterceptor(withTimeout(chosen.timeout), fillIdempotencyKey),
	}
	connection, err := grpc.NewClient(address, append(dial, chosen.dial...)...)
	if err != nil {
		return nil, fmt.Errorf("candela: %q: %w", address, err)
	}
	return &Client{Services: newServices(connection), connection: connection}, nil
}

// Close ends the connection and every call in progress.
func (c *Client) Close() error {
	return c.connection.Close()
}

func isLoopback(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// apiKeyCredentials sends the key with every call.
type apiKeyCredentials struct {
	key       string
	encrypted bool
}

func (c apiKeyCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + c.key}, nil
}

// RequireTransportSecurity keeps a key off an open line, except where WithPlaintext or loopback allowed it.
func (c apiKeyCredentials) RequireTransportSecurity() bool {
	return c.encrypted
}

func withTimeout(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, response any, connection *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		if _, bounded := ctx.Deadline(); !bounded && timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return invoke(ctx, method, request, response, connection, options...)
	}
}
