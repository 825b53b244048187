"""Corrections over real gRPC: the check after an acknowledged one sees it (EVT-4, ENT-4)."""

from __future__ import annotations

import pytest
from candela import Client
from candela.metering.v1 import event_pb2
from candela.metering.v1 import ingestion_service_pb2 as pb

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer


@pytest.mark.spec("EVT-4", "ENT-4")
def test_event_voided_and_replaced__the_next_check_counts_it_no_longer(
    live_server: LiveServer,
) -> None:
    plan = fresh_plan()
    premium = plan.features[1].new_feature.slug
    plan.metrics[0].event_names[:] = [premium]
    user = fresh("user")
    got = []
    with Client(live_server.address, live_server.secret_key) as candela:
        candela.plans.CreatePlan(plan)
        customer = sign_up(candela, fresh("x"), {user: "Ada"})
        subscribe(candela, customer.id, plan.slug, 1)

        def used() -> str:
            return candela.check_feature(premium, user_id=user).entitlement.usage.used

        def event(key: str, value: str) -> event_pb2.Event:
            return event_pb2.Event(
                idempotency_key=f"{user}-{key}", name=premium, value=value, external_user_id=user
            )

        for number in range(4):
            candela.ingestion.RecordEvents(
                pb.RecordEventsRequest(events=[event(f"{number}", "10")])
            )
        got.append(used())
        for number in range(3):
            candela.ingestion.VoidEvents(
                pb.VoidEventsRequest(
                    idempotency_key=fresh("key"),
                    idempotency_keys=pb.IdempotencyKeys(keys=[f"{user}-{number}"]),
                    reason="counted twice by the sender",
                )
            )
            got.append(used())
        candela.ingestion.ReplaceEvent(
            pb.ReplaceEventRequest(
                idempotency_key=fresh("key"),
                replaced_idempotency_key=f"{user}-3",
                event=event("3b", "2.5"),
                reason="wrong unit",
            )
        )
        got.append(used())

    assert got == ["40", "30", "20", "10", "2.5"]
