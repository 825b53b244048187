"""Tenants, their API keys, test clocks and the audit trail."""
