"""Whom a stream looks at next: changes first, everybody in the end, and nobody twice at once (ENT-8)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from candela_server.entitlement.watch_agenda import AT_ONCE, QUIET_AT_ONCE, Agenda

EVERYBODY = [f"cus_{number:03}" for number in range(40)]


async def page(after: str) -> Sequence[str]:
    return [one for one in EVERYBODY if one > after][:25]


async def told(agenda: Agenda) -> dict[str, bool]:
    asked = await agenda.next()
    agenda.was_told()
    return asked


@pytest.mark.spec("ENT-8")
async def test_first_listing__goes_through_everybody_and_says_how_far_it_is() -> None:
    agenda = Agenda(page)
    agenda.list_all()
    seen: list[str] = []
    while agenda.listed_to is not None:
        assert agenda.listed_to == (seen[-1] if seen else "")
        asked = await told(agenda)
        assert len(asked) <= AT_ONCE
        assert not any(asked.values())
        seen += asked

    assert seen == EVERYBODY
    assert agenda.told_all


@pytest.mark.spec("ENT-8")
async def test_change_during_the_listing__comes_first_and_once() -> None:
    agenda = Agenda(page)
    agenda.list_all()
    await told(agenda)
    for _ in range(3):
        agenda.mark_changed(["cus_039"])
    agenda.mark_moved("cus_000")

    assert await told(agenda) == {"cus_039": False}
    assert list(await told(agenda)) == EVERYBODY[AT_ONCE:25]


@pytest.mark.spec("ENT-8")
async def test_resumption__tells_changes_at_once_and_the_rest_a_few_at_a_time() -> None:
    agenda = Agenda(page)
    agenda.resume(None)
    agenda.mark_changed(["cus_007"])
    first = await told(agenda)
    all_changes_told = agenda.told_all
    second = await told(agenda)
    third = await told(agenda)

    assert first == {"cus_007": False}
    assert all_changes_told
    assert second == dict.fromkeys(EVERYBODY[:QUIET_AT_ONCE], True)
    assert third == {}
    assert agenda.seconds_to_wait() != 0


@pytest.mark.spec("ENT-8")
async def test_catalog_change_after_a_resumption__is_owed_to_everybody() -> None:
    agenda = Agenda(page)
    agenda.resume(None)
    known = await told(agenda)
    agenda.sweep(known)

    assert not agenda.told_changes
    seen: list[str] = []
    while not agenda.told_changes:
        asked = await told(agenda)
        assert not any(asked.values())
        seen += asked
    assert sorted(seen) == EVERYBODY
