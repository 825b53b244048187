"""Customers and users, between the contract and the model; nothing here decides."""

from __future__ import annotations

from candela.customer.v1 import customer_pb2, customer_service_pb2, user_pb2, user_service_pb2

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import (
    country_code,
    email,
    metadata,
    optional,
    or_empty,
    time_zone,
    typed_id,
    whole_number,
)
from candela_server.kernel.read_names import MAX_OWN_ID_BYTES, line, own_id
from candela_server.merchant.model import TestClockId

from .archive_customer import ArchiveCustomer
from .archive_user import ArchiveUser
from .create_customer import CreateCustomer
from .create_user import CreateUser
from .model import (
    Address,
    Customer,
    CustomerByExternalId,
    CustomerById,
    CustomerId,
    CustomerRef,
    PaymentTerms,
    User,
    UserByExternalId,
    UserById,
    UserId,
    UserRef,
)
from .update_customer import UpdateCustomer
from .update_user import UpdateUser

_MAX_ADDRESS_LINES = 4


def customer_ref_from_proto(ref: customer_pb2.CustomerRef) -> CustomerRef:
    """Which customer is meant. Raises ValueError when nothing is set or the id is another kind's."""
    match ref.WhichOneof("ref"):
        case "id":
            return CustomerById(CustomerId(typed_id("cus")(ref.id)))
        case "external_id":
            return CustomerByExternalId(_mentioned_id(ref.external_id))
        case _:
            raise ValueError("must name a customer by id or external_id")


def user_ref_from_proto(ref: user_pb2.UserRef) -> UserRef:
    """Which user is meant. Raises ValueError when nothing is set or the id is another kind's."""
    match ref.WhichOneof("ref"):
        case "id":
            return UserById(UserId(typed_id("usr")(ref.id)))
        case "external_id":
            return UserByExternalId(_mentioned_id(ref.external_id))
        case _:
            raise ValueError("must name a user by id or external_id")


def create_customer_from_proto(
    request: customer_service_pb2.CreateCustomerRequest,
) -> CreateCustomer:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return CreateCustomer(
            name=fields.read("name", line(1, 200), request.name),
            external_id=fields.read("external_id", optional(own_id), request.external_id),
            email=fields.read("email", optional(email), request.email),
            business_name=fields.read(
                "business_name", optional(line(1, 200)), request.business_name
            ),
            tax_id=fields.read("tax_id", optional(line(1, 50)), request.tax_id),
            address=address_from_proto(fields.nested("address"), request.address)
            if request.HasField("address")
            else None,
            time_zone=fields.read("time_zone", optional(time_zone), request.time_zone),
            metadata=fields.read("metadata", metadata, request.metadata),
            test_clock_id=fields.read(
                "test_clock_id", optional(_test_clock_id), request.test_clock_id
            ),
            payment_terms_days=fields.read(
                "payment_terms", _payment_terms_days, request.payment_terms
            ),
        )


def update_customer_from_proto(
    request: customer_service_pb2.UpdateCustomerRequest,
) -> UpdateCustomer:
    """The command; an absent field is None, an empty one removes. Raises InvalidInput."""
    with FieldViolations() as fields:
        return UpdateCustomer(
            customer=fields.read("customer", customer_ref_from_proto, request.customer),
            name=fields.read_given(request, "name", line(1, 200)),
            external_id=fields.read_given(request, "external_id", or_empty(own_id)),
            email=fields.read_given(request, "email", or_empty(email)),
            business_name=fields.read_given(request, "business_name", line(0, 200)),
            tax_id=fields.read_given(request, "tax_id", line(0, 50)),
            address=address_from_proto(fields.nested("address"), request.address)
            if request.HasField("address")
            else None,
            time_zone=fields.read_given(request, "time_zone", time_zone),
            metadata=fields.read("metadata", metadata, request.metadata),
            payment_terms=PaymentTerms(
                fields.read("payment_terms", _payment_terms_days, request.payment_terms)
            )
            if request.HasField("payment_terms")
            else None,
        )


def archive_customer_from_proto(
    request: customer_service_pb2.ArchiveCustomerRequest,
) -> ArchiveCustomer:
    """The command; raises InvalidInput."""
    with FieldViolations() as fields:
        return ArchiveCustomer(
            customer=fields.read("customer", customer_ref_from_proto, request.customer)
        )


def create_user_from_proto(request: user_service_pb2.CreateUserRequest) -> CreateUser:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return CreateUser(
            customer=fields.read("customer", customer_ref_from_proto, request.customer),
            external_id=fields.read("external_id", optional(own_id), request.external_id),
            name=fields.read("name", line(0, 200), request.name),
            email=fields.read("email", optional(email), request.email),
        )


def update_user_from_proto(request: user_service_pb2.UpdateUserRequest) -> UpdateUser:
    """The command; an absent field is None, an empty one removes. Raises InvalidInput."""
    with FieldViolations() as fields:
        return UpdateUser(
            user=fields.read("user", user_ref_from_proto, request.user),
            external_id=fields.read_given(request, "external_id", or_empty(own_id)),
            name=fields.read_given(request, "name", line(0, 200)),
            email=fields.read_given(request, "email", or_empty(email)),
        )


def archive_user_from_proto(request: user_service_pb2.ArchiveUserRequest) -> ArchiveUser:
    """The command; raises InvalidInput."""
    with FieldViolations() as fields:
        return ArchiveUser(user=fields.read("user", user_ref_from_proto, request.user))


def customer_to_proto(customer: Customer) -> customer_pb2.Customer:
    """The customer as the contract shows it."""
    return customer_pb2.Customer(
        id=customer.id,
        name=customer.name,
        external_id=customer.external_id,
        email=customer.email,
        business_name=customer.business_name,
        tax_id=customer.tax_id,
        address=address_to_proto(customer.address),
        time_zone=customer.time_zone,
        metadata=customer.metadata,
        test_clock_id=customer.test_clock_id,
        payment_terms=None
        if customer.payment_terms_days is None
        else customer_pb2.PaymentTerms(days=customer.payment_terms_days),
        created_at=timestamp_to_proto(customer.created_at),
        archived_at=optional_timestamp_to_proto(customer.archived_at),
    )


def user_to_proto(user: User) -> user_pb2.User:
    """The user as the contract shows it."""
    return user_pb2.User(
        id=user.id,
        customer_id=user.customer_id,
        external_id=user.external_id,
        name=user.name,
        email=user.email,
        created_at=timestamp_to_proto(user.created_at),
        archived_at=optional_timestamp_to_proto(user.archived_at),
    )


def address_to_proto(address: Address | None) -> customer_pb2.Address | None:
    """An address as the contract shows it."""
    if address is None:
        return None
    return customer_pb2.Address(
        country=address.country,
        region=address.region,
        city=address.city,
        postal_code=address.postal_code,
        lines=address.lines,
    )


def address_from_proto(fields: FieldViolations, address: customer_pb2.Address) -> Address:
    """An address; wrong fields are added to `fields`."""
    if len(address.lines) > _MAX_ADDRESS_LINES:
        fields.add("lines", f"must have at most {_MAX_ADDRESS_LINES} lines")
    return Address(
        country=fields.read("country", country_code, address.country),
        region=fields.read("region", line(0, 100), address.region),
        city=fields.read("city", line(0, 100), address.city),
        postal_code=fields.read("postal_code", line(0, 20), address.postal_code),
        lines=fields.read_each("lines", line(1, 200), address.lines),
    )


def _mentioned_id(value: str) -> str:
    """An external id that points at somebody: one that could not have been given is nobody's, and not an error."""
    size = len(value.encode())
    if not 1 <= size <= MAX_OWN_ID_BYTES or "\x00" in value:
        raise ValueError(f"must have 1 to {MAX_OWN_ID_BYTES} bytes without NUL, not {size}")
    return value


def _payment_terms_days(terms: customer_pb2.PaymentTerms) -> int | None:
    if not terms.HasField("days"):
        return None
    with FieldViolations() as fields:
        return fields.read("days", whole_number(0, 365), terms.days)


def _test_clock_id(value: str) -> TestClockId:
    return TestClockId(typed_id("tck")(value))
