"""Replacing: one event in another's place, at once (EVT-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.contract.values import timestamp_to_proto
from candela_server.kernel.errors import CandelaError, Reason
from candela_server.metering.model import Outcome

from tests.integration.metering.builders import Metering, event
from tests.integration.metering.correcting import by_keys, replace, void


@pytest.mark.spec("EVT-4")
async def test_a_replaced_event__gives_way_to_the_new_one(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    total = await metering.add_metric("total", Aggregation.SUM)
    models = await metering.add_metric("models", Aggregation.UNIQUE, property_name="model")
    at = metering.clock.now() - timedelta(days=3)
    await metering.record(
        event("a", acme, "100", at=at, properties={"model": "x"}),
        event("b", acme, "1", at=at, properties={"model": "x"}),
    )
    assert await metering.counter(total, acme) == 101

    got = await replace(metering, "a", event("a2", ada, "10", properties={"model": "y"}))

    assert await metering.counter(total, acme) == 11
    assert await metering.usage(total, acme) == 11
    assert await metering.usage(total, ada) == 10
    assert await metering.usage(models, acme) == 2
    assert got.replaced.idempotency_key == "a"
    assert got.replaced.replaced_by_idempotency_key == "a2"
    assert got.replaced.voided_at == timestamp_to_proto(metering.clock.now())
    assert got.event.timestamp == timestamp_to_proto(at)
    assert (got.event.value, got.event.user_id) == ("10", ada.id)
    assert got.event.properties_json == b'{"model": "y"}'
    assert not got.event.HasField("voided_at")


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_both_keys__stay_taken_after_a_replacement(metering: Metering) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    at = metering.clock.now()
    await metering.record(event("a", acme, "5", at=at))
    await replace(metering, "a", event("a2", acme, "7"))

    again = await metering.record(
        event("a", acme, "5", at=at), event("a2", acme, "7", at=at), event("a2", acme, "8", at=at)
    )

    assert again.outcomes == [Outcome.DEDUPLICATED, Outcome.DEDUPLICATED, Outcome.REJECTED]
    assert again.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    assert await metering.counter(total, acme) == 7


@pytest.mark.spec("EVT-4", "EVT-9")
async def test_an_old_event__can_be_replaced_beyond_the_lateness_bound(metering: Metering) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    await metering.record(event("a", acme, "5"))
    window = metering.window()
    metering.clock.advance(metering.clock.now() + timedelta(days=50))

    await replace(metering, "a", event("a2", acme, "2"))

    assert await metering.usage(total, acme, window) == 2


@pytest.mark.spec("EVT-4")
async def test_a_replacement_that_names_nobody__is_of_the_replaced_event_s_customer(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    total = await metering.add_metric("total", Aggregation.SUM)
    at = metering.clock.now() - timedelta(days=3)
    await metering.record(event("a", ada, "100", at=at))
    unnamed = event("a2", acme, "10")
    unnamed.ClearField("customer_id")

    got = await replace(metering, "a", unnamed)

    assert (got.event.customer_id, got.event.user_id) == (acme.id, "")
    assert got.event.timestamp == timestamp_to_proto(at)
    assert await metering.usage(total, acme) == 10
    assert await metering.usage(total, ada) == 0


@pytest.mark.spec("EVT-4")
async def test_a_chain_of_replacements__counts_the_last(metering: Metering) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    await metering.record(event("a", acme, "5"))
    await replace(metering, "a", event("b", acme, "6"))
    await replace(metering, "b", event("c", acme, "0.000000000001"))

    with pytest.raises(CandelaError) as gone:
        await replace(metering, "a", event("d", acme, "1"))

    assert gone.value.reason is Reason.EVENT_NOT_FOUND
    assert await metering.counter(total, acme) == Decimal("0.000000000001")
    assert await void(metering, **by_keys("a", "b", "c")) == 1
    assert await metering.counter(total, acme) == 0


@pytest.mark.spec("EVT-4")
async def test_what_cannot_take_an_events_place__is_refused_and_changes_nothing(
    metering: Metering,
) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    at = metering.clock.now()
    await metering.record(event("a", acme, "5", at=at), event("taken", acme, "1", at=at))
    cases = {
        "another customer": ("a", event("n", umbra), Reason.INVALID_FIELD, "event.customer_id"),
        "another time": (
            "a",
            event("n", acme, at=at - timedelta(seconds=1)),
            Reason.INVALID_FIELD,
            "event.timestamp",
        ),
        "a taken key": (
            "a",
            event("taken", acme, "1", at=at),
            Reason.EVENT_KEY_CONFLICT,
            "event.idempotency_key",
        ),
        "its own key": (
            "a",
            event("a", acme, "5", at=at),
            Reason.EVENT_KEY_CONFLICT,
            "event.idempotency_key",
        ),
        "a wrong value": ("a", event("n", acme, "NaN"), Reason.INVALID_FIELD, "event.value"),
        "an unknown event": (
            "nothing",
            event("n", acme),
            Reason.EVENT_NOT_FOUND,
            "replaced_idempotency_key",
        ),
    }

    for name, (old, new, reason, field) in cases.items():
        with pytest.raises(CandelaError) as refused:
            await replace(metering, old, new)
        assert refused.value.reason is reason, name
        assert [one.field for one in refused.value.violations] == [field], name

    assert await metering.counter(total, acme) == 6


@pytest.mark.spec("AUD-2", "EVT-4")
async def test_a_repeated_replacement__answers_the_same(metering: Metering) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    await metering.record(event("a", acme, "5"))

    first = await replace(metering, "a", event("b", acme, "6"), "k")
    again = await replace(metering, "a", event("b", acme, "6"), "k")

    assert first == again
    assert await metering.counter(total, acme) == 6
