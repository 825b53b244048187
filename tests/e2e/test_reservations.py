"""Reserving and consuming over real gRPC (ENT-9)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import pytest
from candela import Client
from candela.catalog.v1 import feature_pb2
from candela.entitlement.v1 import entitlement_service_pb2, reservation_pb2
from candela.entitlement.v1 import reservation_service_pb2 as pb
from candela.type.v1 import error_reason_pb2

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.ports import free_port
from tests.helpers.refusing import refused
from tests.helpers.servers import CandelaProcess, LiveServer, wait_until_serving

HARD = feature_pb2.LIMIT_BEHAVIOR_HARD


def _key() -> str:
    return fresh("key")


@pytest.mark.spec("ENT-9", "ENT-7")
def test_job_is_reserved_and_committed_beside_consumers__the_hard_limit_of_100_holds(
    live_server: LiveServer,
) -> None:
    plan = fresh_plan()
    plan.features[1].limit_behavior = HARD
    premium = plan.features[1].new_feature.slug
    plan.metrics[0].event_names[:] = [premium]
    user = f"user-{_key()}"
    with Client(live_server.address, live_server.secret_key) as candela:
        candela.plans.CreatePlan(plan)
        customer = sign_up(candela, f"x-{_key()}", {user: "Ada"})
        subscribe(candela, customer.id, plan.slug, 1)
        held = candela.reservations.Reserve(
            pb.ReserveRequest(
                idempotency_key=_key(), external_user_id=user, feature=premium, quantity="60"
            )
        )

        def consume(_number: int) -> pb.ConsumeResponse:
            request = pb.ConsumeRequest(
                idempotency_key=_key(), external_user_id=user, feature=premium
            )
            return candela.reservations.Consume(request)

        with ThreadPoolExecutor(16) as callers:
            got = list(callers.map(consume, range(60)))
        failure = refused(
            candela.reservations.Reserve,
            pb.ReserveRequest(
                idempotency_key=_key(), customer_id=customer.id, feature=premium, quantity="1"
            ),
        )
        committed = candela.reservations.Commit(
            pb.CommitRequest(
                idempotency_key=_key(), reservation_id=held.reservation.id, quantity="45"
            )
        )
        read = candela.reservations.GetReservation(
            pb.GetReservationRequest(reservation_id=held.reservation.id)
        )
        usage = candela.entitlements.GetFeatureUsage(
            entitlement_service_pb2.GetFeatureUsageRequest(
                customer_id=customer.id, features=[premium]
            )
        ).features[0]

    assert held.usage.remaining == "40"
    assert sum(one.consumed for one in got) == 40
    assert failure.reason == "ERROR_REASON_LIMIT_REACHED"
    assert error_reason_pb2.ErrorReason.Value(failure.reason)
    assert failure.metadata["remaining"] == "0"
    assert (committed.usage.used, committed.usage.remaining) == ("85", "15")
    assert read.reservation == committed.reservation
    assert read.reservation.status == reservation_pb2.RESERVATION_STATUS_COMMITTED
    assert usage.usage.used == "85"


@pytest.mark.spec("ENT-9", "OPS-1")
def test_two_workers_killed_amid_consumers__each_key_counts_once_and_the_limit_holds(
    live_server: LiveServer, tmp_path: Path
) -> None:
    plan = fresh_plan()
    plan.features[1].limit_behavior = HARD
    premium = plan.features[1].new_feature.slug
    plan.metrics[0].event_names[:] = [premium]
    address = f"127.0.0.1:{free_port()}"
    pair = CandelaProcess(
        name="two workers",
        arguments=("serve", "--workers", "2"),
        environment={
            **live_server.server.environment,
            "CANDELA_GRPC_ADDRESS": address,
            "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
        },
        log=tmp_path / "log",
    )
    keys = [_key() for _ in range(160)]
    with Client(live_server.address, live_server.secret_key) as candela:
        candela.plans.CreatePlan(plan)
        customer = sign_up(candela, f"x-{_key()}", {})
        subscribe(candela, customer.id, plan.slug, 1)

    def consume(key: str) -> bool | None:
        """Whether it was taken; None when the server did not live to say so."""
        request = pb.ConsumeRequest(
            idempotency_key=key, customer_id=customer.id, feature=premium, quantity="1"
        )
        if not pair.running:
            return None
        # A client each, so that both workers get some.
        with Client(address, live_server.secret_key) as candela:
            try:
                return candela.reservations.Consume(request, timeout=1).consumed
            except grpc.RpcError:
                return None

    answers: list[bool | None] = []
    try:
        for calls in (keys[:50], keys[50:]):
            pair.start()
            wait_until_serving(address, pair)
            with ThreadPoolExecutor(8) as callers:
                got = [callers.submit(consume, key) for key in calls]
                wait(got[len(got) // 3 : len(got) // 3 + 1])
                pair.kill()
                answers += [one.result() for one in got]
        with Client(live_server.address, live_server.secret_key) as candela:
            final = [
                candela.reservations.Consume(
                    pb.ConsumeRequest(
                        idempotency_key=key, customer_id=customer.id, feature=premium, quantity="1"
                    )
                ).consumed
                for key in keys
            ]
            usage = candela.entitlements.GetFeatureUsage(
                entitlement_service_pb2.GetFeatureUsageRequest(
                    customer_id=customer.id, features=[premium]
                )
            ).features[0]
    finally:
        pair.kill()

    assert None in answers
    assert True in answers
    assert all(last for first, last in zip(answers, final, strict=True) if first)
    assert sum(final) == 100
    assert usage.usage.used == "100"
