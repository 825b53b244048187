"""How keys are made and recognised (KEY-1, KEY-2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.caller import Mode
from candela_server.merchant.model import ApiKeyKind
from candela_server.merchant.rules.api_key import (
    SECRET_BYTES,
    is_well_formed,
    key_from_bytes,
    key_hash,
    shown_prefix,
)

RANDOM = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


@pytest.mark.spec("KEY-1", "KEY-2")
@given(st.sampled_from(ApiKeyKind), st.sampled_from(Mode), RANDOM)
def test_made_key__is_well_formed_and_its_prefix_shows_kind_and_mode(
    kind: ApiKeyKind, mode: Mode, random: bytes
) -> None:
    key = key_from_bytes(kind, mode, random)

    assert is_well_formed(key)
    assert key.startswith(f"{'sk' if kind is ApiKeyKind.SECRET else 'pk'}_{mode}_")
    assert key.startswith(shown_prefix(key))
    assert len(shown_prefix(key)) == 14
    assert len(key_hash(key)) == 32


@pytest.mark.spec("KEY-1")
@given(RANDOM, st.integers(0, 56), st.characters(codec="ascii"))
def test_key_with_one_wrong_character__is_not_asked_about(
    random: bytes, position: int, wrong: str
) -> None:
    key = key_from_bytes(ApiKeyKind.SECRET, Mode.TEST, random)
    changed = key[:position] + wrong + key[position + 1 :]

    assert changed == key or not is_well_formed(changed)
    assert not is_well_formed(key[:-1])
    assert not is_well_formed(key + "A")
