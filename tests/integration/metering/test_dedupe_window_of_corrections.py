"""The merchant's own dedupe window: backfills, replacements and voids remember keys as long as ingestion (EVT-2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from candela.metering.v1 import event_pb2

from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import CandelaError, Reason
from candela_server.kernel.interval import Interval
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant

from tests.integration.metering.builders import Metering, event
from tests.integration.metering.correcting import (
    by_keys,
    close,
    open_backfill,
    record_into,
    replace,
    void,
)

DAY = timedelta(days=1)


async def _remember_for(metering: Metering, days: int) -> None:
    async with metering.db.writing(metering.merchant_id) as tx:
        await update_merchant(
            tx,
            downgrade_plan_problem,
            UpdateMerchant(
                name=None,
                time_zone=None,
                settings=SettingsChange(event_dedupe_window=days * DAY),
                expected_version=None,
            ),
        )
    metering.directory.forget(metering.merchant_id)


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_an_event_of_200_days_ago_sent_again_into_a_backfill__counts_once(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    await _remember_for(metering, 400)
    at = metering.clock.now()
    window = Interval(at - DAY, at + DAY)
    await metering.record(event("a", acme, "5", at=at))
    metering.clock.advance(at + 200 * DAY)

    opened = await open_backfill(metering, at - DAY, at + DAY)
    got = await record_into(
        metering, opened.id, event("a", acme, "5", at=at), event("b", acme, "1", at=at)
    )
    await close(metering, opened.id)

    assert list(got.outcomes) == [
        event_pb2.EVENT_OUTCOME_DEDUPLICATED,
        event_pb2.EVENT_OUTCOME_ACCEPTED,
    ]
    assert await metering.usage(total, acme, window) == 6


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_keys_within_a_long_window__are_found_by_replacements_and_voids(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    await _remember_for(metering, 400)
    at = metering.clock.now()
    window = Interval(at - DAY, at + DAY)
    await metering.record(
        event("a", acme, "5", at=at), event("b", acme, "7", at=at), event("c", acme, "1", at=at)
    )
    metering.clock.advance(at + 200 * DAY)

    with pytest.raises(CandelaError) as taken:
        await replace(metering, "a", event("b", acme, "2"))
    await replace(metering, "a", event("a2", acme, "2"))
    voided = await void(metering, **by_keys("b"))

    assert taken.value.reason is Reason.EVENT_KEY_CONFLICT
    assert voided == 1
    assert await metering.usage(total, acme, window) == 3


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_keys_beyond_a_short_window__are_no_longer_found(metering: Metering) -> None:
    acme = await metering.add_customer()
    await _remember_for(metering, 36)
    await metering.record(event("a", acme, "5"))
    metering.clock.advance(metering.clock.now() + 70 * DAY)

    with pytest.raises(CandelaError) as unknown:
        await void(metering, **by_keys("a"))

    assert unknown.value.reason is Reason.EVENT_NOT_FOUND
