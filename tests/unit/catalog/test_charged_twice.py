"""A seller hears when two components charge the usage of one metric (DSL-1)."""

from __future__ import annotations

import pytest

from candela_server.catalog.price import ComponentKind
from candela_server.catalog.rules.charged_twice import charged_twice

from tests.helpers.builders import component, price

USAGE, FIXED = ComponentKind.USAGE, ComponentKind.FIXED


@pytest.mark.spec("DSL-1")
def test_two_components_of_one_metric__are_named() -> None:
    sold = price(
        component(FIXED, "49", name="Fee"),
        component(USAGE, "1", name="Calls", position=1),
        component(USAGE, "2", name="Calls again", position=2),
    )

    [warning] = charged_twice(sold)

    assert "'Calls' and 'Calls again'" in warning
    assert charged_twice(price(*sold.components[:2])) == []
