"""How the outside comes in: gRPC and HTTP; no business rule."""
