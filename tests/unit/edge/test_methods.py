"""Every method of the contract has a scope and says what it waits for (KEY-2)."""

from __future__ import annotations

import pytest

from candela_server.edge.methods import methods_of
from candela_server.edge.services import services_of
from candela_server.kernel.caller import Scope

METHODS = [
    method for service in services_of([]) for method in methods_of(service.descriptor).values()
]
READS = ("Get", "List", "Check", "Preview", "Query", "Watch", "Diff", "Render", "Reveal")


@pytest.mark.spec("KEY-2", "OPS-1")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method__has_a_scope_that_fits_its_verb(method) -> None:  # type: ignore[no-untyped-def]
    verb = method.name.rpartition("/")[2]

    if method.scope is Scope.READ:
        assert verb.startswith(READS)
    if method.scope is Scope.WRITE:
        assert not verb.startswith(READS)
    assert method.awaited_spec_ids


@pytest.mark.spec("PUB-1")
def test_public_methods__are_these_and_no_others() -> None:
    assert {method.name for method in METHODS if method.scope is Scope.PUBLIC} == {
        "candela.catalog.v1.PricingTableService/GetPublicPricingTable",
        "candela.payment.v1.CheckoutService/CreateCheckout",
        "candela.payment.v1.CheckoutService/GetCheckout",
    }
