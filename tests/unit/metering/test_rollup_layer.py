"""When a writer begins rows anew: while old versions of its own row have to stay (EVT-3)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from candela_server.metering.rollup_layer import LAYER_FLUSHES, Place, RollupLayer


def _layers(layer: RollupLayer, *places: Place) -> list[int]:
    """The layers that flushes add to that put the writer's row at these places, and that of the next one."""
    layers = []
    for place in places:
        layers.append(layer.change().after)
        layer.note(place)
    return [*layers, layer.change().after]


@pytest.mark.spec("EVT-3")
def test_a_row_that_stays_on_its_page__stays_in_the_lowest_layer() -> None:
    places = [Place(7, slot) for slot in (3, *range(50, 120), 4, *range(5, 60), 2)]

    assert set(_layers(RollupLayer(), *places)) == {0}


@pytest.mark.spec("EVT-3")
def test_a_row_that_leaves_its_page__begins_a_layer_every_few_flushes() -> None:
    layer = RollupLayer()
    _layers(layer, Place(7, 140))

    layers = _layers(layer, *[Place(8, slot) for slot in range(1, 3 * LAYER_FLUSHES)])

    assert layers[0] == 0
    assert layers[-1] >= 3
    assert max(layers.count(one) for one in set(layers) - {0}) <= LAYER_FLUSHES
    assert sorted(layers) == layers


@pytest.mark.spec("EVT-3")
def test_a_row_that_takes_a_lower_place_again__goes_back_to_the_lowest_layer() -> None:
    layer = RollupLayer()
    _layers(layer, Place(7, 140), *[Place(8, slot) for slot in range(1, 2 * LAYER_FLUSHES)])
    high = layer.change().after
    assert high > 0

    assert _layers(layer, Place(8, 100), Place(8, 5)) == [high, high, 0]
    assert layer.change() == (high, 0)
    assert set(_layers(layer, *[Place(8, slot) for slot in range(6, 90)])) == {0}


@pytest.mark.spec("EVT-3")
def test_a_change__names_the_layer_that_the_writers_row_is_found_by() -> None:
    layer = RollupLayer()
    _layers(layer, Place(7, 140))
    changes = []
    for slot in range(1, 4 * LAYER_FLUSHES):
        changes.append(layer.change())
        layer.note(Place(8, slot))

    assert all(one.after == two.before for one, two in pairwise(changes))
