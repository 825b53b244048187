"""What exists here: customers, who pay, and users, who act for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from candela_server.kernel.errors import AlreadyExists, NotFound, Reason, Refused
from candela_server.merchant.model import TestClockId

CustomerId = NewType("CustomerId", str)
UserId = NewType("UserId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address, as an invoice prints it. `country` is an ISO 3166-1 alpha-2 code."""

    country: str
    region: str = ""
    city: str = ""
    postal_code: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who pays. `time_zone` is an IANA name; new subscriptions take it when they name none.

    `payment_terms_days` None: as the merchant has it set.
    """

    id: CustomerId
    name: str
    external_id: str | None
    email: str | None
    business_name: str | None
    tax_id: str | None
    address: Address | None
    time_zone: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    test_clock_id: TestClockId | None
    created_at: datetime
    archived_at: datetime | None = None
    payment_terms_days: int | None = None


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """How many days after it is final an invoice is due; None: as the merchant has it set."""

    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who acts for a customer: signs in, holds a seat, causes usage (ENT-7)."""

    id: UserId
    customer_id: CustomerId
    external_id: str | None
    name: str
    email: str | None
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CustomerById:
    """Points at a customer by the server's id."""

    id: CustomerId

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class CustomerByExternalId:
    """Points at a customer by the merchant's own id."""

    external_id: str

    def __str__(self) -> str:
        return self.external_id


CustomerRef = CustomerById | CustomerByExternalId


@dataclass(frozen=True, slots=True)
class UserById:
    """Points at a user by the server's id."""

    id: UserId

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class UserByExternalId:
    """Points at a user by the merchant's own id."""

    external_id: str

    def __str__(self) -> str:
        return self.external_id


UserRef = UserById | UserByExternalId


class CustomerNotFoundError(NotFound):
    """No customer of this merchant has the id."""

    reason = Reason.CUSTOMER_NOT_FOUND

    def __init__(self, ref: CustomerRef) -> None:
        super().__init__(
            f"no customer {str(ref)!r}; check the id, and whether it is an external id",
            customer=str(ref),
        )


class CustomerExternalIdTakenError(AlreadyExists):
    """An external id names one customer only."""

    reason = Reason.CUSTOMER_EXTERNAL_ID_TAKEN

    def __init__(self, external_id: str) -> None:
        super().__init__(
            f"another customer has the external id {external_id!r}; use that customer",
            external_id=external_id,
        )


class CustomerArchivedError(Refused):
    """An archived customer takes no new business."""

    reason = Reason.CUSTOMER_ARCHIVED

    def __init__(self, customer_id: CustomerId) -> None:
        super().__init__(
            f"customer {customer_id} is archived; create a new customer instead",
            customer_id=customer_id,
        )


class UserNotFoundError(NotFound):
    """No user of this merchant has the id."""

    reason = Reason.USER_NOT_FOUND

    def __init__(self, ref: UserRef) -> None:
        super().__init__(
            f"no user {str(ref)!r}; check the id, and whether it is an external id", user=str(ref)
        )


class UserExternalIdTakenError(AlreadyExists):
    """An external id names one user of a merchant only."""

    reason = Reason.USER_EXTERNAL_ID_TAKEN

    def __init__(self, external_id: str) -> None:
        super().__init__(
            f"another user has the external id {external_id!r}; use that user",
            external_id=external_id,
        )
