"""Pointing at a feature, a metric or a plan: by the server's id or by the merchant's slug."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ById:
    """By the server's id."""

    id: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class BySlug:
    """By the merchant's slug."""

    slug: str

    def __str__(self) -> str:
        return self.slug


Ref = ById | BySlug
