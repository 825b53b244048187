"""Subscription rules: which states follow which, and what is billed when."""
