"""What a watching client holds, believes and does next, message by message (ENT-8)."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import grpc
import pytest
from candela._local_follow import MAX_PAUSE_S, SILENCE_S, Follower
from candela._local_state import LocalState, MissedMessageError
from candela._shared_verdicts import SharedVerdicts
from candela.catalog.v1 import feature_pb2
from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb

START = datetime(2026, 1, 31, 15, tzinfo=UTC)
START_S = START.timestamp()
MAX_AGE_S = 300.0


class Unreachable(grpc.RpcError):
    """What a stub raises while nobody listens."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "nobody listens"

    def trailing_metadata(self) -> tuple[()]:
        return ()


def snapshot(
    customer: str = "cus_1", *, revision: int = 1, ends_s: float | None = None, **on: bool
) -> pb.WatchResponse:
    made = pb.EntitlementSnapshot(
        customer_id=customer,
        external_customer_id=f"external-{customer}",
        users=[pb.WatchedUser(user_id="usr_1", external_user_id=f"user-of-{customer}")],
        entitlements=entitlements(on),
        revision=revision,
    )
    if ends_s is not None:
        made.valid_until.FromDatetime(datetime.fromtimestamp(ends_s, UTC))
    return pb.WatchResponse(snapshot=made, resume_token=f"after-{customer}-{revision}")


def delta(from_revision: int, revision: int, *removed: str, **on: bool) -> pb.WatchResponse:
    return pb.WatchResponse(
        delta=pb.EntitlementDelta(
            customer_id="cus_1",
            from_revision=from_revision,
            revision=revision,
            changed=entitlements(on),
            removed_features=removed,
        ),
        resume_token=f"after-{revision}",
    )


def entitlements(on: dict[str, bool]) -> list[entitlement_pb2.Entitlement]:
    return [
        entitlement_pb2.Entitlement(
            feature=slug, entitled=yes, value=feature_pb2.FeatureValue(boolean=yes)
        )
        for slug, yes in on.items()
    ]


def beat(at_s: float = START_S, *, catching_up: bool = False) -> pb.WatchResponse:
    made = pb.Heartbeat(catching_up=catching_up)
    made.at.FromDatetime(datetime.fromtimestamp(at_s, UTC))
    return pb.WatchResponse(heartbeat=made, resume_token="after-beat")


def following(*messages: pb.WatchResponse) -> tuple[LocalState, Follower]:
    """A client that heard these at 0 seconds of its own clock."""
    state = LocalState()
    follower = Follower(state, None, MAX_AGE_S)
    follower.request(0.0)
    for message in messages:
        follower.hear(message, 0.0)
    follower.tend(0.0)
    return state, follower


@pytest.mark.spec("ENT-8")
def test_before_the_first_heartbeat__nothing_is_answered() -> None:
    state, follower = following(snapshot(a=True))

    assert follower.age_s(0.0) is None
    assert state.by_customer == {}


@pytest.mark.spec("ENT-8")
def test_server_that_is_catching_up__leaves_the_state_as_old_as_it_was() -> None:
    state, follower = following(snapshot(a=True), beat())

    follower.hear(delta(1, 2, a=False), 5.0)
    follower.hear(beat(START_S + 10, catching_up=True), 10.0)

    assert follower.age_s(10.0) == 10.0
    assert state.by_customer["cus_1"] == {"a": False}
    follower.tend(MAX_AGE_S + 1)
    assert state.by_customer == {}
    follower.hear(beat(START_S + MAX_AGE_S + 2), MAX_AGE_S + 2)
    follower.tend(MAX_AGE_S + 2)
    assert follower.age_s(MAX_AGE_S + 2) == 0.0
    assert state.by_customer["cus_1"] == {"a": False}


@pytest.mark.spec("ENT-8")
def test_first_listing_that_takes_long__forgets_nobody_before_its_end() -> None:
    state, follower = following(snapshot("cus_1", a=True), snapshot("cus_2", a=True), beat())
    follower.lose(MissedMessageError())
    follower.request(1.0)
    follower.hear(snapshot("cus_2", revision=5, a=True), 1.0)

    follower.hear(beat(catching_up=True), 11.0)

    assert len(state) == 2
    assert follower.age_s(11.0) == 11.0


@pytest.mark.spec("ENT-8")
def test_snapshot_and_delta__are_found_by_every_id() -> None:
    state, _ = following(snapshot(a=True, b=True, c=True), delta(1, 2, "c", b=False), beat())

    want = {"a": True, "b": False}
    assert state.by_customer["cus_1"] == want
    assert state.by_external["external-cus_1"] == want
    assert state.by_user["user-of-cus_1"] == want


@pytest.mark.spec("ENT-8")
def test_customers_who_hold_the_same__share_it_until_one_differs() -> None:
    state, follower = following(snapshot("cus_1", a=True), snapshot("cus_2", a=True), beat())
    assert state.by_user["user-of-cus_1"] is state.by_customer["cus_2"]

    follower.hear(delta(1, 2, a=False), 1.0)

    assert state.by_user["user-of-cus_1"] == {"a": False}
    assert state.by_user["user-of-cus_2"] == {"a": True}


@pytest.mark.spec("ENT-8")
def test_verdicts_that_nobody_holds_any_more__are_not_kept() -> None:
    verdicts = SharedVerdicts()

    for number in range(1_000):
        assert verdicts.share([(f"feature-{number}", True)], holders=3) == {
            f"feature-{number}": True
        }

    assert len(verdicts) <= 7


@pytest.mark.spec("ENT-8")
def test_delta_of_a_state_that_is_not_held__begins_again_without_a_token() -> None:
    _, follower = following(snapshot(revision=1), beat())
    with pytest.raises(MissedMessageError) as missed:
        follower.hear(delta(2, 3, a=True), 1.0)

    follower.lose(missed.value)

    assert follower.request(1.0).resume_token == ""


@pytest.mark.spec("ENT-8")
def test_interrupted_stream__continues_after_the_last_message() -> None:
    _, follower = following(snapshot(), beat(), snapshot("cus_2", revision=9))

    follower.lose(Unreachable())

    assert follower.request(1.0).resume_token == "after-cus_2-9"


@pytest.mark.spec("ENT-8")
def test_customer_not_told_again_after_a_new_beginning__is_forgotten() -> None:
    state, follower = following(snapshot("cus_1", a=True), snapshot("cus_2", a=True), beat())
    follower.lose(MissedMessageError())
    follower.request(1.0)
    follower.hear(snapshot("cus_2", revision=5, a=True), 1.0)
    assert len(state) == 2

    follower.hear(beat(), 1.0)

    assert len(state) == 1
    assert state.find(None, "cus_1", None) is None
    assert list(state.by_customer) == ["cus_2"]


@pytest.mark.spec("ENT-8")
def test_state_past_its_end_on_the_servers_clock__is_not_answered_from() -> None:
    # The client's clock is its own: at 0 it is START on the server.
    state, follower = following(snapshot(ends_s=START_S + 60, a=True), beat(START_S))
    held = state.find(None, "cus_1", None)
    assert held is not None

    pause_s = follower.tend(59.5)
    sure_before = follower.is_sure(held.valid_until_s, 59.9)
    follower.tend(60.0)

    assert pause_s == pytest.approx(0.5)
    assert sure_before
    assert not follower.is_sure(held.valid_until_s, 60.0)
    assert state.by_customer == state.by_user == {}


@pytest.mark.spec("ENT-8")
def test_state_older_than_max_age__is_not_answered_from_until_it_is_current_again() -> None:
    state, follower = following(snapshot(a=True), beat())

    follower.tend(MAX_AGE_S)
    still = dict(state.by_customer)
    follower.tend(MAX_AGE_S + 0.1)
    gone = dict(state.by_customer)
    follower.lose(Unreachable())
    follower.request(MAX_AGE_S + 1)
    follower.hear(snapshot("cus_2", revision=2, a=True), MAX_AGE_S + 1)
    follower.tend(MAX_AGE_S + 1)
    # One message of a resumed stream does not make the rest current.
    not_yet = dict(state.by_customer)
    follower.hear(beat(), MAX_AGE_S + 2)
    follower.tend(MAX_AGE_S + 2)

    assert list(still) == ["cus_1"]
    assert gone == not_yet == {}
    assert sorted(state.by_customer) == ["cus_1", "cus_2"]


@pytest.mark.spec("ENT-8")
def test_pauses__are_random_parts_of_a_growing_bound() -> None:
    _, follower = following(beat())
    pauses = [follower.lose(Unreachable()) for _ in range(200)]

    assert max(pauses[:1]) <= 0.1
    assert max(pauses) <= MAX_PAUSE_S
    assert len({round(pause, 3) for pause in pauses[10:]}) > 100
    # Every new success begins again with the short one.
    follower.request(1.0)
    follower.hear(beat(), 1.0)
    assert follower.lose(Unreachable()) <= 0.1


@pytest.mark.spec("ENT-8")
def test_silence_of_two_heartbeats__is_a_dead_connection() -> None:
    _, follower = following(beat())

    assert not follower.is_dead(SILENCE_S)
    assert follower.is_dead(SILENCE_S + 0.1)


@pytest.mark.spec("ENT-8")
def test_user_who_moved_to_another_customer__is_answered_for_the_new_one() -> None:
    second = snapshot("cus_2", a=True)
    second.snapshot.users[0].external_user_id = "user-of-cus_1"
    state, follower = following(snapshot("cus_1", a=False), second, beat())
    left = snapshot("cus_1", revision=2, a=False)
    del left.snapshot.users[:]

    follower.hear(left, 1.0)

    assert state.by_user["user-of-cus_1"] == {"a": True}
    assert state.by_customer["cus_1"] == {"a": False}


@pytest.mark.spec("ENT-8", "ENT-7")
def test_limit_of_each_user__is_answered_for_the_customer_only() -> None:
    message = snapshot(a=True)
    message.snapshot.entitlements.append(
        entitlement_pb2.Entitlement(
            feature="each",
            entitled=True,
            usage=entitlement_pb2.Usage(used="1", scope=entitlement_pb2.USAGE_SCOPE_USER),
        )
    )
    state, _ = following(message, beat())

    assert state.by_customer["cus_1"] == {"a": True, "each": True}
    assert state.by_user["user-of-cus_1"] == {"a": True}


FORKED = """
import os
from datetime import timedelta
from candela._local import LocalChecks

local = LocalChecks(None, None, "cached", timedelta(minutes=5))
local._by_user["ada"] = {"a": True}
pid = os.fork()
if pid == 0:
    os._exit(0 if not local._by_user and local._abandoned else 1)
assert local._by_user, "the parent goes on"
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.spec("ENT-8")
def test_process_that_forked__forgets_what_nobody_keeps_current_there() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
