"""ArchiveTestClock over real gRPC: its customers stand still, and nobody new comes onto it (OPS-2, AUD-1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from candela import Client
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.merchant.v1 import (
    audit_service_pb2,
    merchant_service_pb2,
    test_clock_pb2,
    test_clock_service_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp

from tests.helpers.refusing import refused
from tests.helpers.servers import LiveServer, create_merchant_by_command

BEGUN = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Clocks")
    with Client(live_server.address, merchant["secret_key"]) as client:
        yield client


def instant(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def make(candela: Client) -> test_clock_pb2.TestClock:
    return candela.test_clocks.CreateTestClock(
        test_clock_service_pb2.CreateTestClockRequest(now_at=instant(BEGUN), name="a year")
    ).test_clock


def archive(candela: Client, clock_id: str, key: str = "") -> test_clock_pb2.TestClock:
    return candela.test_clocks.ArchiveTestClock(
        test_clock_service_pb2.ArchiveTestClockRequest(test_clock_id=clock_id, idempotency_key=key)
    ).test_clock


def sign_up(candela: Client, **fields: str) -> customer_pb2.Customer:
    return candela.customers.CreateCustomer(
        customer_service_pb2.CreateCustomerRequest(name="Acme", **fields)
    ).customer


@pytest.mark.spec("OPS-2", "AUD-1")
def test_archived_clock__stands_still_with_its_customers_and_takes_nobody_on(
    candela: Client,
) -> None:
    clock = make(candela)
    on_it = sign_up(candela, test_clock_id=clock.id)

    archived = archive(candela, clock.id, "once")
    again = archive(candela, clock.id, "once")
    once_more = archive(candela, clock.id)
    shown = candela.test_clocks.GetTestClock(
        test_clock_service_pb2.GetTestClockRequest(test_clock_id=clock.id)
    ).test_clock
    listed = candela.test_clocks.ListTestClocks(
        test_clock_service_pb2.ListTestClocksRequest()
    ).test_clocks
    customer = candela.customers.GetCustomer(
        customer_service_pb2.GetCustomerRequest(customer=customer_pb2.CustomerRef(id=on_it.id))
    ).customer
    trail = candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(subject_id=clock.id)
    ).audit_entries

    assert archived.HasField("archived_at")
    assert archived.now_at == clock.now_at
    assert archived == again == once_more == shown
    assert list(listed) == []
    assert customer == on_it
    assert [entry.action for entry in trail] == [
        "test_clock.archived",
        "test_clock.archived",
        "test_clock.created",
    ]
    moved = refused(
        candela.test_clocks.AdvanceTestClock,
        test_clock_service_pb2.AdvanceTestClockRequest(
            test_clock_id=clock.id, target_at=instant(BEGUN + timedelta(days=1))
        ),
    )
    joined = refused(
        candela.customers.CreateCustomer,
        customer_service_pb2.CreateCustomerRequest(name="Late", test_clock_id=clock.id),
    )
    stood_on = refused(
        candela.merchant.UpdateMerchant,
        merchant_service_pb2.UpdateMerchantRequest(test_clock_id=clock.id),
    )
    for failure in (moved, joined, stood_on):
        assert failure.reason == "ERROR_REASON_TEST_CLOCK_ARCHIVED"
        assert failure.metadata["test_clock_id"] == clock.id
        assert "CreateTestClock" in failure.message


@pytest.mark.spec("OPS-2", "AUD-1")
def test_clock_of_the_merchant_archived__the_merchant_returns_to_real_time(
    candela: Client,
) -> None:
    clock = make(candela)
    before = candela.merchant.UpdateMerchant(
        merchant_service_pb2.UpdateMerchantRequest(test_clock_id=clock.id)
    ).merchant
    archive(candela, clock.id)
    after = candela.merchant.GetMerchant(merchant_service_pb2.GetMerchantRequest()).merchant
    later = sign_up(candela)

    assert before.test_clock_id == clock.id
    assert not after.HasField("test_clock_id")
    assert after.version == before.version + 1
    assert not later.HasField("test_clock_id")


@pytest.mark.spec("OPS-2")
def test_archive_of_a_clock_that_does_not_exist__is_refused(candela: Client) -> None:
    failure = refused(
        candela.test_clocks.ArchiveTestClock,
        test_clock_service_pb2.ArchiveTestClockRequest(
            test_clock_id="tck_00000000000000000000000000"
        ),
    )
    assert failure.reason == "ERROR_REASON_TEST_CLOCK_NOT_FOUND"
