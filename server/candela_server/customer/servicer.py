"""Answers gRPC for customers and users."""

from __future__ import annotations

from typing import Any

from candela.customer.v1 import (
    customer_service_pb2,
    customer_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.kernel.read_fields import optional, typed_id
from candela_server.merchant.model import TestClockId
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx
from candela_server.storage.room import Room, position

from . import read, wire
from .archive_customer import CheckNothingRuns, archive_customer
from .archive_user import archive_user
from .create_customer import create_customer
from .create_user import create_user
from .update_customer import update_customer
from .update_user import update_user


class CustomerServicer(Room, customer_service_pb2_grpc.CustomerServiceServicer):
    """CustomerService."""

    def __init__(
        self,
        db: Postgres,
        mutations: Mutations,
        clock: Clock,
        page_secret: bytes,
        check_nothing_runs: CheckNothingRuns,
    ) -> None:
        """Takes what every room does, and who knows whether something of a customer still runs."""
        super().__init__(db, mutations, clock, page_secret)
        self._check_nothing_runs = check_nothing_runs

    async def CreateCustomer(
        self, request: customer_service_pb2.CreateCustomerRequest, context: Any
    ) -> customer_service_pb2.CreateCustomerResponse:
        """Adds a customer."""
        command = wire.create_customer_from_proto(request)

        async def act(tx: Tx) -> customer_service_pb2.CreateCustomerResponse:
            customer = await create_customer(tx, self._clock, command)
            return customer_service_pb2.CreateCustomerResponse(
                customer=wire.customer_to_proto(customer)
            )

        return await self._mutations.run(request, customer_service_pb2.CreateCustomerResponse, act)

    async def GetCustomer(
        self, request: customer_service_pb2.GetCustomerRequest, context: Any
    ) -> customer_service_pb2.GetCustomerResponse:
        """One customer."""
        with FieldViolations() as fields:
            ref = fields.read("customer", wire.customer_ref_from_proto, request.customer)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            customer = await read.get_customer(tx, ref)
        return customer_service_pb2.GetCustomerResponse(customer=wire.customer_to_proto(customer))

    async def ListCustomers(
        self, request: customer_service_pb2.ListCustomersRequest, context: Any
    ) -> customer_service_pb2.ListCustomersResponse:
        """One page of customers."""
        merchant_id = current_caller.get().merchant_id
        with FieldViolations() as fields:
            test_clock_id = fields.read(
                "test_clock_id", optional(typed_id("tck")), request.test_clock_id
            )
        scope, page_request = self.page(
            "customers", request, f"{request.include_archived}:{request.test_clock_id}"
        )
        async with self._db.reading(merchant_id) as tx:
            found = await read.list_customers(
                tx,
                limit=page_request.fetch_limit,
                after=page_request.after,
                include_archived=request.include_archived,
                test_clock_id=TestClockId(test_clock_id) if test_clock_id else None,
            )
        page = make_page(scope, page_request, found, position)
        return customer_service_pb2.ListCustomersResponse(
            customers=[wire.customer_to_proto(customer) for customer in page.items],
            next_page_token=page.next_token,
        )

    async def UpdateCustomer(
        self, request: customer_service_pb2.UpdateCustomerRequest, context: Any
    ) -> customer_service_pb2.UpdateCustomerResponse:
        """Changes a customer."""
        command = wire.update_customer_from_proto(request)

        async def act(tx: Tx) -> customer_service_pb2.UpdateCustomerResponse:
            customer = await update_customer(tx, self._clock, command)
            return customer_service_pb2.UpdateCustomerResponse(
                customer=wire.customer_to_proto(customer)
            )

        return await self._mutations.run(request, customer_service_pb2.UpdateCustomerResponse, act)

    async def ArchiveCustomer(
        self, request: customer_service_pb2.ArchiveCustomerRequest, context: Any
    ) -> customer_service_pb2.ArchiveCustomerResponse:
        """Takes a customer out of business, when nothing of theirs runs any more."""
        command = wire.archive_customer_from_proto(request)

        async def act(tx: Tx) -> customer_service_pb2.ArchiveCustomerResponse:
            customer = await archive_customer(tx, self._clock, self._check_nothing_runs, command)
            return customer_service_pb2.ArchiveCustomerResponse(
                customer=wire.customer_to_proto(customer)
            )

        return await self._mutations.run(request, customer_service_pb2.ArchiveCustomerResponse, act)


class UserServicer(Room, user_service_pb2_grpc.UserServiceServicer):
    """UserService."""

    async def CreateUser(
        self, request: user_service_pb2.CreateUserRequest, context: Any
    ) -> user_service_pb2.CreateUserResponse:
        """Adds a user to a customer."""
        command = wire.create_user_from_proto(request)

        async def act(tx: Tx) -> user_service_pb2.CreateUserResponse:
            user = await create_user(tx, self._clock, command)
            return user_service_pb2.CreateUserResponse(user=wire.user_to_proto(user))

        return await self._mutations.run(request, user_service_pb2.CreateUserResponse, act)

    async def GetUser(
        self, request: user_service_pb2.GetUserRequest, context: Any
    ) -> user_service_pb2.GetUserResponse:
        """One user."""
        with FieldViolations() as fields:
            ref = fields.read("user", wire.user_ref_from_proto, request.user)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            user = await read.get_user(tx, ref)
        return user_service_pb2.GetUserResponse(user=wire.user_to_proto(user))

    async def ListUsers(
        self, request: user_service_pb2.ListUsersRequest, context: Any
    ) -> user_service_pb2.ListUsersResponse:
        """One page of a customer's users."""
        merchant_id = current_caller.get().merchant_id
        with FieldViolations() as fields:
            ref = fields.read("customer", wire.customer_ref_from_proto, request.customer)
        scope, page_request = self.page("users", request, f"{ref!r}:{request.include_archived}")
        async with self._db.reading(merchant_id) as tx:
            customer = await read.get_customer(tx, ref)
            found = await read.list_users(
                tx,
                customer.id,
                limit=page_request.fetch_limit,
                after=page_request.after,
                include_archived=request.include_archived,
            )
        page = make_page(scope, page_request, found, position)
        return user_service_pb2.ListUsersResponse(
            users=[wire.user_to_proto(user) for user in page.items],
            next_page_token=page.next_token,
        )

    async def UpdateUser(
        self, request: user_service_pb2.UpdateUserRequest, context: Any
    ) -> user_service_pb2.UpdateUserResponse:
        """Changes a user."""
        command = wire.update_user_from_proto(request)

        async def act(tx: Tx) -> user_service_pb2.UpdateUserResponse:
            user = await update_user(tx, self._clock, command)
            return user_service_pb2.UpdateUserResponse(user=wire.user_to_proto(user))

        return await self._mutations.run(request, user_service_pb2.UpdateUserResponse, act)

    async def ArchiveUser(
        self, request: user_service_pb2.ArchiveUserRequest, context: Any
    ) -> user_service_pb2.ArchiveUserResponse:
        """Ends a user's access."""
        command = wire.archive_user_from_proto(request)

        async def act(tx: Tx) -> user_service_pb2.ArchiveUserResponse:
            user = await archive_user(tx, self._clock, command)
            return user_service_pb2.ArchiveUserResponse(user=wire.user_to_proto(user))

        return await self._mutations.run(request, user_service_pb2.ArchiveUserResponse, act)
