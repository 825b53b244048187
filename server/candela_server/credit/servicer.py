"""Answers gRPC for credits: balances, and what people do with them by hand."""

from __future__ import annotations

from typing import Any

from candela.credit.v1 import credit_service_pb2 as pb
from candela.credit.v1 import credit_service_pb2_grpc
from candela.type.v1 import money_pb2

from candela_server.catalog import read as catalog
from candela_server.customer import read as customer
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import command_wire, ledger_store, read, store, wire
from .adjust_grant import adjust_grant
from .grant_by_hand import grant_by_hand
from .revoke_grant import revoke_grant
from .rules.balance import balances_by_currency, balances_by_feature


class CreditServicer(Room, credit_service_pb2_grpc.CreditServiceServicer):
    """CreditService, but for what is bought: that is sold by invoices, in a room above."""

    async def GrantCredits(
        self, request: pb.GrantCreditsRequest, context: Any
    ) -> pb.GrantCreditsResponse:
        """Gives credit by hand."""
        command = command_wire.grant_credits_from_proto(request)

        async def act(tx: Tx) -> pb.GrantCreditsResponse:
            granted = await grant_by_hand(tx, self._clock, command)
            return pb.GrantCreditsResponse(grant=wire.grant_to_proto(granted))

        return await self._mutations.run(request, pb.GrantCreditsResponse, act)

    async def RevokeGrant(
        self, request: pb.RevokeGrantRequest, context: Any
    ) -> pb.RevokeGrantResponse:
        """Takes back what is left of a grant."""
        command = command_wire.revoke_grant_from_proto(request)

        async def act(tx: Tx) -> pb.RevokeGrantResponse:
            revoked = await revoke_grant(tx, self._clock, command)
            return pb.RevokeGrantResponse(grant=wire.grant_to_proto(revoked))

        return await self._mutations.run(request, pb.RevokeGrantResponse, act)

    async def AdjustGrant(
        self, request: pb.AdjustGrantRequest, context: Any
    ) -> pb.AdjustGrantResponse:
        """Corrects a grant's balance."""
        command = command_wire.adjust_grant_from_proto(request)

        async def act(tx: Tx) -> pb.AdjustGrantResponse:
            adjusted = await adjust_grant(tx, self._clock, command)
            return pb.AdjustGrantResponse(grant=wire.grant_to_proto(adjusted))

        return await self._mutations.run(request, pb.AdjustGrantResponse, act)

    async def GetGrant(self, request: pb.GetGrantRequest, context: Any) -> pb.GetGrantResponse:
        """One grant."""
        grant_id = command_wire.grant_id_from_proto(request.grant_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await read.get_grant(tx, grant_id)
        return pb.GetGrantResponse(grant=wire.grant_to_proto(found))

    async def GetBalance(
        self, request: pb.GetBalanceRequest, context: Any
    ) -> pb.GetBalanceResponse:
        """What a customer has left, of the grants that count now."""
        with FieldViolations() as fields:
            ref = fields.read("customer", customer_ref_from_proto, request.customer)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found_customer = await customer.get_customer(tx, ref)
            now = (await customer.customer_clock(tx, self._clock, found_customer)).now()
            grants = await read.list_grants(tx, found_customer.id, now)
            slugs = {feature.id: feature.slug for feature in await catalog.list_features(tx)}
        return pb.GetBalanceResponse(
            feature_balances=[
                wire.feature_balance_to_proto(one, slugs[one.feature_id])
                for one in balances_by_feature(grants)
            ],
            monetary_balances=[
                money_pb2.Money(currency=currency, amount=format_decimal(left))
                for currency, left in balances_by_currency(grants).items()
            ],
        )

    async def ListGrants(
        self, request: pb.ListGrantsRequest, context: Any
    ) -> pb.ListGrantsResponse:
        """One page of a customer's grants."""
        with FieldViolations() as fields:
            ref = fields.read("customer", customer_ref_from_proto, request.customer)
        scope, wanted = self.page("grants", request, f"{ref!r}:{request.include_ended}")
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
        page = make_page(scope, wanted, found, position)
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
            grant_id = command_wire.optional_grant_id_from_proto(request.grant_id)
        scope, wanted = self.page("credit_transactions", request, f"{ref!r}:{grant_id}")
        async with self._db.reading(scope.merchant_id) as tx:
            found_customer = await customer.get_customer(tx, ref)
            found = await ledger_store.page_transactions(
                tx,
                found_customer.id,
                grant_id=grant_id,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(scope, wanted, found, lambda one: (one.at, one.id))
        return pb.ListCreditTransactionsResponse(
            credit_transactions=[wire.transaction_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )
