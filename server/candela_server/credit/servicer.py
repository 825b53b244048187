"""Answers gRPC for credits: reading; what people do by hand is not served yet."""

from __future__ import annotations

from typing import Any

from candela.credit.v1 import credit_service_pb2 as pb
from candela.credit.v1 import credit_service_pb2_grpc

from candela_server.customer import read as customer
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import TokenScope, make_page, read_page_request
from candela_server.storage.postgres import Postgres

from . import store, wire


class CreditServicer(credit_service_pb2_grpc.CreditServiceServicer):
    """CreditService."""

    def __init__(self, db: Postgres, clock: Clock, page_secret: bytes) -> None:
        """Takes what it reads from and tells time by."""
        self._db = db
        self._clock = clock
        self._page_secret = page_secret

    async def ListGrants(
        self, request: pb.ListGrantsRequest, context: Any
    ) -> pb.ListGrantsResponse:
        """One page of a customer's grants."""
        with FieldViolations() as fields:
            ref = fields.read("customer", customer_ref_from_proto, request.customer)
        scope = self._scope("grants", f"{ref!r}:{request.include_ended}")
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            found_customer = await customer.get_customer(tx, ref)
            now = (await customer.customer_clock(tx, self._clock, found_customer)).now()
            found = await store.page_grants(
                tx,
                found_customer.id,
                limit=wanted.fetch_limit,
                after=wanted.after,
                unended_at=None if request.include_ended else now,
            )
        page = make_page(scope, wanted, found, lambda grant: (grant.created_at, grant.id))
        return pb.ListGrantsResponse(
            grants=[wire.grant_to_proto(grant) for grant in page.items],
            next_page_token=page.next_token,
        )

    async def ListCreditTransactions(
        self, request: pb.ListCreditTransactionsRequest, context: Any
    ) -> pb.ListCreditTransactionsResponse:
        """One page of changes of a customer's balances."""
        with FieldViolations() as fields:
            ref = fields.read("customer", customer_ref_from_proto, request.customer)
        scope = self._scope("credit_transactions", f"{ref!r}:{request.grant_id}")
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            found_customer = await customer.get_customer(tx, ref)
            found = await store.page_transactions(
                tx,
                found_customer.id,
                grant_id=request.grant_id or None,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(scope, wanted, found, lambda one: (one.at, one.id))
        return pb.ListCreditTransactionsResponse(
            credit_transactions=[wire.transaction_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )

    def _scope(self, list_name: str, wanted: str) -> TokenScope:
        return TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name=list_name,
            filter=wanted,
        )
