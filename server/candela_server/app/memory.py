"""What one server process remembers, and what hears that it has changed."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.catalog.terms_json import value_from_text
from candela_server.config import Settings
from candela_server.entitlement.build_ahead import BuildAhead
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.remembered_catalog import RememberedCatalog
from candela_server.entitlement.watch_hub import WatchHub
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.kernel.clock import Clock
from candela_server.metering.directory import Directory
from candela_server.storage.changes import Changes

from .storage import Storage


@dataclass(frozen=True, slots=True)
class Memory:
    """Who answers from what one server process remembers, who tells watchers, and the ear for changes of both."""

    changes: Changes
    checker: Checker
    hub: WatchHub
    ahead: BuildAhead


def remember(settings: Settings, storage: Storage, directory: Directory, clock: Clock) -> Memory:
    """What is remembered, and what hears that it has changed."""

    def changed(merchant_id: str, customer_id: str | None) -> None:
        snapshots.forget(merchant_id, customer_id)
        if customer_id is None:
            catalog.forget(merchant_id)
        directory.forget(merchant_id, customer_id)
        hub.changed(merchant_id, customer_id)

    def missed() -> None:
        snapshots.doubt_all()
        catalog.forget_all()
        hub.missed()
        directory.forget_all()
        storage.counters.doubt()

    def grown(merchant_id: str) -> None:
        snapshots.grow(merchant_id)
        catalog.forget(merchant_id)
        directory.forget(merchant_id)
        hub.changed(merchant_id, None)

    def switched(merchant_id: str, slug: str, on: bool) -> None:
        snapshots.switch(merchant_id, slug, on)
        catalog.forget(merchant_id)
        hub.changed(merchant_id, None)

    def defaulted(merchant_id: str, slug: str, default: str) -> None:
        snapshots.set_default(merchant_id, slug, value_from_text(default))
        catalog.forget(merchant_id)
        hub.changed(merchant_id, None)

    changes = Changes(
        storage.db, changed, missed, storage.counters.distrust, grown, switched, defaulted
    )
    snapshots = SnapshotCache(changes.is_current, changes.catch_up)
    catalog = RememberedCatalog(changes.is_current)
    checker = Checker(storage.db, storage.counters, snapshots, clock, catalog)
    secret = settings.page_token_secret.get_secret_value().encode()
    hub = WatchHub(storage.db, checker, clock, secret, entitlement_to_proto)
    ahead = BuildAhead(storage.db, snapshots, clock, catalog)
    return Memory(changes, checker, hub, ahead)
