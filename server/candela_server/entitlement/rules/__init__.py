"""Entitlement rules: what wins, and how much is left."""
