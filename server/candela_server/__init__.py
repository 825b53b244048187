"""Candela's server: catalog, metering, entitlement and billing over gRPC."""
