"""Metering: what was used, counted exactly once."""
