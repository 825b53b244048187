"""The table of states: whatever is not in it is refused by name (SUB-7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.errors import Reason
from candela_server.subscription.model import Status, TransitionRefusedError
from candela_server.subscription.rules.lifecycle import (
    FOLLOWS,
    RUNNING,
    check_change_of_status,
    check_running,
)

states = st.sampled_from(Status)


@pytest.mark.spec("SUB-7")
@given(before=states, after=states)
def test_every_pair__is_allowed_by_the_table_or_refused_with_both_names(
    before: Status, after: Status
) -> None:
    if after in FOLLOWS[before]:
        check_change_of_status(before, after)
        return
    with pytest.raises(TransitionRefusedError) as caught:
        check_change_of_status(before, after)
    assert caught.value.reason is Reason.SUBSCRIPTION_TRANSITION_REFUSED
    assert dict(caught.value.metadata) == {"from": before, "to": after}


@pytest.mark.spec("SUB-7")
@given(steps=st.lists(states, max_size=12))
def test_any_walk_through_the_table__never_leaves_what_has_expired(steps: list[Status]) -> None:
    state = Status.INCOMPLETE
    seen = [state]
    for step in steps:
        if step in FOLLOWS[state]:
            state = step
            seen.append(state)
    if Status.EXPIRED in seen:
        assert seen[-1] is Status.EXPIRED
        assert seen.count(Status.EXPIRED) == 1
    assert Status.INCOMPLETE not in seen[1:]


@pytest.mark.spec("SUB-7")
@given(status=states)
def test_terms__change_while_a_plan_is_held_only(status: Status) -> None:
    if status in RUNNING:
        check_running(status)
        return
    with pytest.raises(TransitionRefusedError):
        check_running(status)
