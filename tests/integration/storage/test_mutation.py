"""One mutation, one transaction: idempotency, audit and outbox (AUD-1, AUD-2)."""

from __future__ import annotations

import asyncio

import pytest
from candela.customer.v1 import customer_service_pb2 as pb

from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.storage.mutation import IdempotencyMismatchError, Mutations, was_replayed
from candela_server.storage.outbox import Announcement, relay
from candela_server.storage.postgres import Postgres, Tx

from tests.conftest import TestMerchant
from tests.helpers.acting import acting_as

Response = pb.CreateCustomerResponse


def request(key: str, name: str = "A") -> pb.CreateCustomerRequest:
    return pb.CreateCustomerRequest(idempotency_key=key, name=name)


async def act(tx: Tx) -> pb.CreateCustomerResponse:
    await tx.audit("thing.done", "thing_1", after={"name": "A"})
    return pb.CreateCustomerResponse()


async def audits(db: Postgres, merchant: TestMerchant) -> int:
    async with db.reading(merchant.id) as tx:
        found: int = await tx.fetchval(
            "SELECT count(*) FROM audit_entry WHERE merchant_id = $1 AND action = 'thing.done'",
            merchant.id,
        )
    return found


@pytest.mark.spec("AUD-2")
async def test_same_key_and_request__answered_again_without_acting(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    mutations = Mutations(db, clock)
    with acting_as(merchant.id):
        await mutations.run(request("k"), Response, act)
        await mutations.run(request("k"), Response, act)

    assert was_replayed.get()
    assert await audits(db, merchant) == 1


@pytest.mark.spec("AUD-2")
async def test_same_key_another_request__is_refused(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    mutations = Mutations(db, clock)
    with acting_as(merchant.id):
        await mutations.run(request("k"), Response, act)
        with pytest.raises(IdempotencyMismatchError):
            await mutations.run(request("k", name="B"), Response, act)


@pytest.mark.spec("AUD-2")
async def test_twenty_at_once_with_one_key__act_once(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    mutations = Mutations(db, clock)
    with acting_as(merchant.id):
        await asyncio.gather(*[mutations.run(request("k"), Response, act) for _ in range(20)])

    assert await audits(db, merchant) == 1


@pytest.mark.spec("AUD-2")
async def test_act_that_fails__stores_nothing_and_may_be_tried_again(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    mutations = Mutations(db, clock)

    async def fail(tx: Tx) -> pb.CreateCustomerResponse:
        await act(tx)
        raise InvalidInput("no", field="name")

    with acting_as(merchant.id):
        with pytest.raises(InvalidInput):
            await mutations.run(request("k"), Response, fail)
        assert await audits(db, merchant) == 0
        await mutations.run(request("k", name="another"), Response, act)

    assert await audits(db, merchant) == 1


@pytest.mark.spec("AUD-1")
async def test_act_without_audit_entry__is_a_defect_and_rolled_back(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    async def silent(tx: Tx) -> pb.CreateCustomerResponse:
        return pb.CreateCustomerResponse()

    with acting_as(merchant.id), pytest.raises(AssertionError, match="audit"):
        await Mutations(db, clock).run(request("k"), Response, silent)


@pytest.mark.spec("AUD-2")
async def test_missing_key__names_the_field(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    with acting_as(merchant.id), pytest.raises(InvalidInput) as caught:
        await Mutations(db, clock).run(request(""), Response, act)

    assert [violation.field for violation in caught.value.violations] == ["idempotency_key"]


@pytest.mark.spec("OPS-4")
async def test_announcements__relayed_in_order_per_key_and_a_failing_one_holds_back_its_own(
    own_database: str, clock: FixedClock
) -> None:
    db = Postgres(own_database, clock)
    await db.open()
    async with db.writing("mer_a") as tx:
        for key in ("x", "y", "x"):
            await tx.announce("topic", key, {"key": key})
    seen: list[str] = []

    async def handle(announcement: Announcement) -> None:
        if announcement.key == "y":
            raise RuntimeError("not now")
        seen.append(announcement.key)

    while await relay(db, {"topic": handle}, clock.now()):
        pass
    async with db.system() as tx:
        left = await tx.fetch("SELECT key, attempts, failure FROM outbox")
    await db.close()

    assert seen == ["x", "x"]
    assert [(row["key"], row["attempts"], row["failure"]) for row in left] == [
        ("y", 1, "RuntimeError: not now")
    ]
