"""Invoices as texts, so that those of two runs can be compared to the last byte."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from candela_server.billing.model import Invoice

_ID = re.compile(r"\b[a-z]+_[0-9a-z]{26}\b")


def invoice_texts(names: Mapping[str, str], invoices: Iterable[Invoice]) -> Counter[str]:
    """Every invoice as a text, with its customer's name: all that is in it but ids and its number, those are another
    run's."""
    return Counter(
        f"{names[one.customer_id]}: {_without_ids(replace(one, number=None))}" for one in invoices
    )


def _without_ids(one: Invoice) -> str:
    """The invoice with ids told apart only by where they come first."""
    seen: dict[str, str] = {}
    return _ID.sub(lambda found: seen.setdefault(found[0], f"<{len(seen)}>"), repr(one))
