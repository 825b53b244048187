"""How carefully a writer takes keys: as senders behave (EVT-2)."""

from __future__ import annotations

import pytest

from candela_server.metering.event_writer import CAREFUL_FLUSHES, Care, Writer


@pytest.mark.spec("EVT-2")
def test_a_writer__trusts_until_it_is_warned_and_again_after_enough_clean_flushes() -> None:
    writer = Writer()
    assert writer.care() is Care.TRUSTING

    writer.take_warning()
    for _ in range(CAREFUL_FLUSHES):
        assert writer.care() is Care.LOOKING
        writer.note_clean()

    assert writer.care() is Care.TRUSTING
    writer.note_clean()
    assert writer.care() is Care.TRUSTING


@pytest.mark.spec("EVT-2")
def test_a_warning_among_clean_flushes__begins_the_count_anew() -> None:
    writer = Writer()
    writer.take_warning()
    for _ in range(CAREFUL_FLUSHES - 1):
        writer.note_clean()
    writer.take_warning()
    for _ in range(CAREFUL_FLUSHES - 1):
        writer.note_clean()

    assert writer.care() is Care.LOOKING
