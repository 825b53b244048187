"""Connections and transactions; knows no business noun."""
