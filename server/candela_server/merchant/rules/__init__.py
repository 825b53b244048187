"""Merchant rules: how keys are made and recognised."""
