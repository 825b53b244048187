"""Candela's server: catalog, metering, entitlement and billing over gRPC."""

from .kernel.precision import keep_every_digit

# Before anything else of Candela is there to calculate.
keep_every_digit()
