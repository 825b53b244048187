"""Every method of the contract has a scope and says what it waits for where it is not served (KEY-2)."""

from __future__ import annotations

import pytest

import candela_server.app.rooms  # noqa: F401  (with it come the servicers of all rooms)
from candela_server.edge.methods import AWAITED_SPEC_IDS, methods_of
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


def below(base: type) -> list[type]:
    """What the server has made of a generated class."""
    found = [one for room in base.__subclasses__() for one in (room, *below(room))]
    return [one for one in found if one.__module__.startswith("candela_server.")]


@pytest.mark.spec("OPS-1")
def test_services_with_a_method_that_is_not_served__are_those_that_say_what_it_waits_for() -> None:
    unserved = {
        service.descriptor.full_name
        for service in services_of([])
        for method in methods_of(service.descriptor)
        if not any(
            getattr(room, method) is not getattr(service.base, method)
            for room in below(service.base)
        )
    }

    assert unserved == set(AWAITED_SPEC_IDS)


@pytest.mark.spec("PUB-1")
def test_public_methods__are_these_and_no_others() -> None:
    assert {method.name for method in METHODS if method.scope is Scope.PUBLIC} == {
        "candela.catalog.v1.PricingTableService/GetPublicPricingTable",
        "candela.payment.v1.CheckoutService/CreateCheckout",
        "candela.payment.v1.CheckoutService/GetCheckout",
    }
