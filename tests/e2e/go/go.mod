module github.com/candela-billing/candela/tests/e2e/go

go 1.24.0

require (
	github.com/candela-billing/candela/sdk/go v0.0.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20251202230838-ff82c1b0f217
	google.golang.org/grpc v1.79.0
)

require (
	golang.org/x/net v0.48.0 // indirect
	golang.org/x/sys v0.39.0 // indirect
	golang.org/x/text v0.32.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/candela-billing/candela/sdk/go => ../../../sdk/go
