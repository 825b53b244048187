"""Adds a merchant with its first two keys; only the command line does this, never the network."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from candela_server.kernel.caller import Mode, Scope
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Postgres

from . import store
from .create_api_key import CreateApiKey, NewApiKey, insert_new_key
from .model import ApiKeyKind, Merchant, MerchantId, MerchantSettings
from .rules.api_key import SECRET_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMerchant:
    """Who the new merchant is."""

    name: str
    mode: Mode
    time_zone: str = "UTC"
    default_currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMerchant:
    """The merchant and its two keys in full; nobody can see the secret one again (KEY-1)."""

    merchant: Merchant
    secret: NewApiKey
    publishable: NewApiKey


async def create_merchant(db: Postgres, clock: Clock, command: CreateMerchant) -> NewMerchant:
    """Adds a merchant, a secret key that may do everything, and a publishable key."""
    merchant = Merchant(
        id=MerchantId(new_id("mer")),
        name=command.name,
        mode=command.mode,
        time_zone=command.time_zone,
        default_currency=command.default_currency,
        settings=MerchantSettings(),
        created_at=clock.now(),
        version=1,
    )
    async with db.writing(merchant.id) as tx:
        await store.insert_merchant(tx, merchant)
        await tx.audit("merchant.created", merchant.id, after={"name": merchant.name})
        secret = await insert_new_key(
            tx,
            clock,
            CreateApiKey(
                name="first secret key",
                kind=ApiKeyKind.SECRET,
                scopes=frozenset({Scope.ADMIN}),
                expires_at=None,
            ),
            mode=merchant.mode,
            random=secrets.token_bytes(SECRET_BYTES),
        )
        publishable = await insert_new_key(
            tx,
            clock,
            CreateApiKey(
                name="first publishable key",
                kind=ApiKeyKind.PUBLISHABLE,
                scopes=frozenset(),
                expires_at=None,
            ),
            mode=merchant.mode,
            random=secrets.token_bytes(SECRET_BYTES),
        )
    return NewMerchant(merchant=merchant, secret=secret, publishable=publishable)
