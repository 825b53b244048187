"""What a key may do."""

from __future__ import annotations

import pytest

from candela_server.kernel.caller import Caller, Mode, Scope


def caller(*scopes: Scope) -> Caller:
    return Caller(
        merchant_id="mer_1",
        actor="ci",
        scopes=frozenset(scopes),
        mode=Mode.TEST,
        request_id="req_1",
        method="/candela.customer.v1.CustomerService/GetCustomer",
    )


@pytest.mark.spec("KEY-2")
def test_admin__holds_every_right() -> None:
    assert all(caller(Scope.ADMIN).may(scope) for scope in Scope)


@pytest.mark.spec("KEY-2", "PUB-1")
@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.PUBLIC])
def test_any_other_right__implies_none_but_itself(scope: Scope) -> None:
    assert [held for held in Scope if caller(scope).may(held)] == [scope]
