"""What to send of a customer, given what was sent before (ENT-8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.entitlement.rules.difference import Sent, difference, prints_of

answers = st.dictionaries(
    st.sampled_from([f"feature-{number}" for number in range(12)]), st.binary(max_size=2)
)


def sent(state: dict[str, bytes], *, people: int = 1, revision: int = 1) -> Sent:
    slugs = tuple(sorted(state))
    return Sent(revision, revision, people, slugs, prints_of([state[slug] for slug in slugs]))


@pytest.mark.spec("ENT-8")
@given(answers, answers)
def test_difference_applied_to_what_was_sent__gives_what_is(
    before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    got = difference(sent(before), sent(after))

    held = dict(before)
    if got is None:
        held = dict(after)
    else:
        slugs = sorted(after)
        held.update((slugs[index], after[slugs[index]]) for index in got.changed)
        for slug in got.removed:
            del held[slug]
    assert held == after


@pytest.mark.spec("ENT-8")
@given(answers)
def test_same_state__is_nothing_to_send(state: dict[str, bytes]) -> None:
    got = difference(sent(state), sent(state, revision=2))

    assert got is not None
    assert got.nothing


@pytest.mark.spec("ENT-8")
def test_unknown_customer_and_changed_users__get_everything() -> None:
    state = {"a": b"1", "b": b"2"}

    assert difference(None, sent(state)) is None
    assert difference(sent(state), sent(state, people=2)) is None


@pytest.mark.spec("ENT-8")
@pytest.mark.parametrize(("changed", "whole"), [(1, False), (3, False), (5, False), (6, True)])
def test_most_of_ten_answers_changed__are_sent_as_everything(changed: int, whole: bool) -> None:
    before = {f"f{number}": b"old" for number in range(10)}
    after = before | {f"f{number}": b"new" for number in range(changed)}

    assert (difference(sent(before), sent(after)) is None) is whole
