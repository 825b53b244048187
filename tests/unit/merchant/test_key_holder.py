"""What a key may do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from candela_server.kernel.caller import Mode, Scope
from candela_server.merchant.authenticate import KeyHolder
from candela_server.merchant.model import ApiKey, ApiKeyId, ApiKeyKind, MerchantId


def scopes_of(*scopes: Scope, kind: ApiKeyKind = ApiKeyKind.SECRET) -> frozenset[Scope]:
    key = ApiKey(
        id=ApiKeyId("key_1"),
        name="ci",
        kind=kind,
        prefix="sk_test_",
        scopes=frozenset(scopes),
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        replaced_by_id=None,
    )
    return KeyHolder(MerchantId("mer_1"), Mode.TEST, key).scopes


@pytest.mark.spec("KEY-2")
def test_admin__holds_every_right() -> None:
    assert scopes_of(Scope.ADMIN) == frozenset(Scope)


@pytest.mark.spec("KEY-2", "PUB-1")
@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
def test_any_other_right__implies_what_everybody_may_and_no_more(scope: Scope) -> None:
    assert scopes_of(scope) == {scope, Scope.PUBLIC}


@pytest.mark.spec("KEY-1", "PUB-1")
def test_publishable_key__holds_what_everybody_may_alone() -> None:
    assert scopes_of(*Scope, kind=ApiKeyKind.PUBLISHABLE) == {Scope.PUBLIC}
