"""Groups: what an event belongs to, and what a group is called (EVT-5)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.rules.event_value import Properties
from candela_server.metering.rules.group import (
    ALL_GROUPS,
    OVERFLOW,
    Group,
    dimension,
    group_name,
    group_named,
    group_of,
)

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("properties", "want"),
    [
        ({"region": "eu", "size": "large"}, ("eu", "large")),
        ({"region": True, "size": Decimal("1.50")}, ("true", "1.50")),
        ({"region": "eu"}, ("eu", "")),
        ({"region": "", "other": "x"}, ("", "")),
        ({}, ("", "")),
    ],
    ids=["texts", "a boolean and a number", "one is not there", "an empty text", "none is there"],
)
def test_an_events_group__is_the_text_of_its_properties(
    properties: Properties, want: Group
) -> None:
    assert group_of(properties, ("region", "size")) == want


@pytest.mark.spec("EVT-5")
@given(st.lists(_texts, min_size=1, max_size=3).map(tuple))
def test_a_groups_name__names_it(group: Group) -> None:
    assert group_named(group_name(group), ["a", "b", "c"][: len(group)]) == group


@pytest.mark.spec("EVT-5")
@given(_texts, _texts)
def test_other_groups__have_other_dimensions(one: str, other: str) -> None:
    groups = {(one,), (other,), (one, other), (other, one), (one, ""), ("", one)}
    dimensions = {dimension(group) for group in groups}

    assert len(dimensions) == len(groups)
    assert not dimensions & {ALL_GROUPS, OVERFLOW}


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    "name", ["eu", "[]", '["eu"]', '["eu", 1]', '["eu", null]', '{"a": 1}', r'["\ud800", ""]']
)
def test_a_name_of_no_group__is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="JSON array of 2 texts, the values of region, size"):
        group_named(name, ("region", "size"))
