"""The part of the catalog that snapshots are built from, remembered per merchant: it changes seldom and is read often.

Dropped with every change of a merchant's catalog, as snapshots are; and not asked while this process is not sure to
have heard of all changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from candela_server.catalog import read
from candela_server.catalog.model import Feature, Metric, MetricId, Offer, PlanVersionId
from candela_server.catalog.price import PriceId
from candela_server.storage.postgres import Tx

OfferKey = tuple[PlanVersionId, PriceId]

MAX_OFFERS = 1_000


Basis = tuple[Sequence[Feature], Mapping[MetricId, Metric]]
"""All features by slug and all metrics, as of one transaction, so that each feature's metric is among them."""


class Catalog(Protocol):
    """What a snapshot needs of the catalog."""

    async def basis(self, tx: Tx) -> Basis:
        """All features and metrics."""
        ...

    async def offers(self, tx: Tx, keys: Sequence[OfferKey]) -> dict[OfferKey, Offer]:
        """These offers."""
        ...


class ReadCatalog:
    """The catalog as the database has it."""

    async def basis(self, tx: Tx) -> Basis:
        """All features and metrics."""
        features = await read.list_features(tx)
        return features, {metric.id: metric for metric in await read.list_metrics(tx)}

    async def offers(self, tx: Tx, keys: Sequence[OfferKey]) -> dict[OfferKey, Offer]:
        """These offers."""
        return await read.get_offers(tx, keys)


class Shelf:
    """What is remembered of one merchant's catalog, for transactions that begin after it was taken down.

    A shelf that is dropped meanwhile is filled for nobody: what is read into it may be from before the change.
    """

    __slots__ = ("_basis", "_offers")

    def __init__(self) -> None:
        """Begins empty."""
        self._basis: Basis | None = None
        self._offers: dict[OfferKey, Offer] = {}

    async def basis(self, tx: Tx) -> Basis:
        """All features and metrics."""
        basis = self._basis
        if basis is None:
            basis = self._basis = await _DATABASE.basis(tx)
        return basis

    async def offers(self, tx: Tx, keys: Sequence[OfferKey]) -> dict[OfferKey, Offer]:
        """These offers."""
        known = {key: self._offers[key] for key in keys if key in self._offers}
        missing = [key for key in keys if key not in known]
        if missing:
            read_now = await _DATABASE.offers(tx, missing)
            if len(self._offers) >= MAX_OFFERS:
                self._offers.clear()
            self._offers.update(read_now)
            known.update(read_now)
        return known


class RememberedCatalog:
    """The catalogs as they were read last, while nothing has changed since; one per process."""

    def __init__(self, is_current: Callable[[], bool]) -> None:
        """Begins empty. `is_current` says whether every change so far has been heard."""
        self._is_current = is_current
        self._shelves: dict[str, Shelf] = {}

    def of(self, merchant_id: str) -> Catalog:
        """A merchant's catalog, to be asked for before the transaction that reads from it begins."""
        if not self._is_current():
            return _DATABASE
        return self._shelves.setdefault(merchant_id, Shelf())

    def forget(self, merchant_id: str) -> None:
        """Drops a merchant's."""
        self._shelves.pop(merchant_id, None)

    def forget_all(self) -> None:
        """Drops everything: something may have been missed."""
        self._shelves.clear()


_DATABASE = ReadCatalog()
