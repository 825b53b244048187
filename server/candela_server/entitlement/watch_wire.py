"""A Watch, between the contract and what is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.ids import parse_id

from .watched import (
    MAX_CUSTOMERS,
    Beat,
    Changes,
    Shown,
    Told,
    TooManyCustomersError,
    WatchedCustomer,
    Whole,
)


def customer_ids_from_proto(request: pb.WatchRequest) -> tuple[str, ...]:
    """Whom to watch, each once; empty for everybody. Raises InvalidInput."""
    if len(request.customer_ids) > MAX_CUSTOMERS:
        raise TooManyCustomersError(len(request.customer_ids))
    with FieldViolations() as fields:
        ids = fields.read_each(
            "customer_ids", lambda text: parse_id("cus", text), request.customer_ids
        )
    return tuple(dict.fromkeys(ids))


def told_to_proto(told: Told) -> pb.WatchResponse:
    """One message of the stream."""
    match told.news:
        case Whole(state):
            return pb.WatchResponse(snapshot=_snapshot(state), resume_token=told.resume_token)
        case Changes():
            return pb.WatchResponse(delta=_delta(told.news), resume_token=told.resume_token)
        case Beat(at, catching_up):
            return pb.WatchResponse(
                heartbeat=pb.Heartbeat(at=timestamp_to_proto(at), catching_up=catching_up),
                resume_token=told.resume_token,
            )


def _snapshot(state: WatchedCustomer) -> pb.EntitlementSnapshot:
    return pb.EntitlementSnapshot(
        customer_id=state.customer_id,
        external_customer_id=state.people.external_id or "",
        users=[
            pb.WatchedUser(user_id=user_id, external_user_id=external_id or "")
            for user_id, external_id in state.people.users
        ],
        entitlements=_entitlements(state.answers),
        revision=state.sent.revision,
        valid_until=optional_timestamp_to_proto(state.valid_until),
    )


def _delta(changes: Changes) -> pb.EntitlementDelta:
    state = changes.state
    return pb.EntitlementDelta(
        customer_id=state.customer_id,
        from_revision=changes.from_revision,
        revision=state.sent.revision,
        changed=_entitlements(state.answers[index] for index in changes.difference.changed),
        removed_features=changes.difference.removed,
        valid_until=optional_timestamp_to_proto(state.valid_until),
    )


def _entitlements(answers: Iterable[Shown]) -> list[entitlement_pb2.Entitlement]:
    # They were made by wire.entitlement_to_proto; what lies between knows only that they have bytes.
    return [cast(entitlement_pb2.Entitlement, answer) for answer in answers]
