"""Billing rules: rating, lines, tax and numbers; no clock, no database."""
