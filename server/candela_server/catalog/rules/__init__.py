"""Catalog rules: what may be sold, what is free, and what people are shown."""
