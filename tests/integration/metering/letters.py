"""Short words for events that nobody expects: who sends them, which wait, and sending them again."""

from __future__ import annotations

from candela.metering.v1 import event_pb2, ingestion_service_pb2

from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.merchant.model import UnknownEventPolicy, UnmatchedNamePolicy
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant

from tests.integration.metering.builders import Metering
from tests.integration.metering.correcting import ingestion


async def choose(
    metering: Metering,
    *,
    unknown: UnknownEventPolicy | None = UnknownEventPolicy.DEAD_LETTER,
    names: UnmatchedNamePolicy | None = None,
) -> None:
    """Changes the merchant's policies; this process hears of it."""
    async with metering.db.writing(metering.merchant_id) as tx:
        await update_merchant(
            tx,
            downgrade_plan_problem,
            UpdateMerchant(
                name=None,
                time_zone=None,
                settings=SettingsChange(
                    unknown_customer_policy=unknown,
                    unmatched_name_policy=names,
                ),
                expected_version=None,
            ),
        )
    metering.directory.forget(metering.merchant_id)


def of(
    external_id: str,
    key: str,
    value: str | None = None,
    *,
    name: str = "api-call",
    properties_json: bytes = b"",
) -> event_pb2.Event:
    """An event of a customer that may not be there."""
    return event_pb2.Event(
        idempotency_key=key,
        name=name,
        external_customer_id=external_id,
        value=value,
        properties_json=properties_json,
    )


async def letters(
    metering: Metering, *, include_replayed: bool = False
) -> list[event_pb2.RejectedEvent]:
    """The events that wait, oldest first."""
    request = ingestion_service_pb2.ListRejectedEventsRequest(include_replayed=include_replayed)
    return list((await ingestion(metering).ListRejectedEvents(request, None)).rejected_events)


async def replay(
    metering: Metering, key: str, *ids: str
) -> ingestion_service_pb2.ReplayRejectedEventsResponse:
    """Sends these again, or all that wait."""
    """Sends these again, or all that wait."""
    request = ingestion_service_pb2.ReplayRejectedEventsRequest(
        idempotency_key=key, rejected_event_ids=ids
    )
    return await ingestion(metering).ReplayRejectedEvents(request, None)
