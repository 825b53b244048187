"""Settings: read once from the environment (prefix CANDELA_) and from flags, checked, then frozen."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Role = Literal["all", "check", "ingest"]


class Settings(BaseSettings):
    """Everything that a server or a worker can be told. Every problem is reported at once, at start."""

    model_config = SettingsConfigDict(env_prefix="CANDELA_", frozen=True, extra="ignore")

    database_url: SecretStr = Field(
        description="PostgreSQL, as postgresql://user:password@host:port/name"
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis or Valkey, as redis://host:port/0; without it, checks read PostgreSQL",
    )
    grpc_address: str = Field(
        default="127.0.0.1:8430", description="host:port that gRPC listens on"
    )
    http_address: str = Field(
        default="127.0.0.1:8431", description="host:port that HTTP listens on"
    )
    role: Role = Field(default="all", description="which services this process serves")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="server processes that share the ports"
    )
    pool_size: Annotated[int, Field(ge=2, le=200)] = Field(
        default=10, description="connections per pool to PostgreSQL"
    )
    max_message_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = Field(
        default=16 * 1024 * 1024, description="largest message that is read; a batch must fit"
    )
    max_concurrent_calls: Annotated[int, Field(ge=1)] = Field(
        default=2000, description="calls in progress per process; more are refused as overloaded"
    )
    drain_s: Annotated[float, Field(gt=0, le=300)] = Field(
        default=10.0, description="seconds that calls in progress get to end after SIGTERM"
    )
    reflection: bool = Field(default=True, description="whether grpcurl may list the services")
    page_token_secret: SecretStr = Field(
        default=SecretStr("candela-page-tokens"),
        description="binds page tokens to their list; the same on every server",
    )
    event_retention_days: Annotated[int, Field(ge=400)] | None = Field(
        default=None,
        description="days after which the worker drops raw events; usage stays. Kept for good when absent",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def event_retention(self) -> timedelta | None:
        """How long raw events are kept; None for good."""
        return None if self.event_retention_days is None else timedelta(self.event_retention_days)

    @field_validator("grpc_address", "http_address")
    @classmethod
    def _has_host_and_port(cls, address: str) -> str:
        host, colon, port = address.rpartition(":")
        if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{address!r} is not host:port, for example 127.0.0.1:8430")
        return address

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("not a PostgreSQL address; it begins with postgresql://")
        return url
