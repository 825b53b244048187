"""The stage that rows are measured on: embedded servers or a given PostgreSQL, one server of Candela, the plan Team."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from candela import Client
from candela.catalog.v1 import plan_service_pb2
from candela.customer.v1 import customer_pb2
from candela.subscription.v1 import subscription_service_pb2
from psycopg import sql

from candela_server.storage import embedded

from .harness import SERVER_CORE, candela, free_port, pin, process, say, wait_for
from demo.crowd import copy_customer
from demo.team_plan import sign_up, subscribe, team_plan

CUSTOMERS = 100


@dataclass(frozen=True, slots=True)
class Crowd:
    """Thousands of customers with a user each, in the same order. The users are `prefix` and a number from 1 on."""

    prefix: str
    user_ids: list[str]
    customer_ids: list[str]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a row needs to know."""

    address: str
    key: str
    merchant_id: str
    database_url: str
    redis_url: str
    server_pid: int
    folder: Path
    environment: dict[str, str]
    plan: plan_service_pb2.CreatePlanRequest
    user_ids: list[str]

    def add_customers(self, client: Client, kind: str, count: int) -> list[str]:
        """So many customers of the plan Team with a user each; answers the users' external ids."""
        user_ids = [f"{kind}-{number}" for number in range(count)]
        for user_id in user_ids:
            customer = sign_up(client, f"customer-of-{user_id}", {user_id: user_id})
            subscribe(client, customer.id, "team", 5)
        return user_ids

    def add_crowd(self, client: Client, kind: str, count: int) -> Crowd:
        """So many customers of the plan Team with a user each; all but the first are copied in the database."""
        [first] = self.add_customers(client, kind, 1)
        prefix = f"{first}-"
        with psycopg.connect(self.database_url, autocommit=True) as database:
            found = database.execute(
                "SELECT id FROM customer WHERE merchant_id = %s AND external_id = %s",
                [self.merchant_id, f"customer-of-{first}"],
            ).fetchone()
            assert found is not None, "it was just signed up"
            copy_customer(database, self.merchant_id, found[0], count)
            rows = database.execute(
                """
                INSERT INTO customer_user (merchant_id, id, customer_id, external_id, name, created_at)
                SELECT merchant_id, 'usr_0' || left(md5(id), 25), id, substr(external_id, length('customer-of-') + 1),
                       '', created_at
                FROM customer WHERE merchant_id = %s AND starts_with(external_id, %s)
                RETURNING external_id, customer_id
                """,
                [self.merchant_id, f"customer-of-{prefix}"],
            ).fetchall()
            database.execute("ANALYZE customer_user")
        return Crowd(prefix, [str(row[0]) for row in rows], [str(row[1]) for row in rows])

    def subscription_of(self, client: Client, user_id: str) -> str:
        """The id of the subscription of a user's customer."""
        listed = client.subscriptions.ListSubscriptions(
            subscription_service_pb2.ListSubscriptionsRequest(
                customer=customer_pb2.CustomerRef(external_id=f"customer-of-{user_id}")
            )
        )
        return str(listed.subscriptions[0].id)


@contextmanager
def stage(database_url: str | None) -> Iterator[Stage]:
    """Starts everything, and stops and removes it again."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="candela-bench-")))
        say("starting PostgreSQL and Valkey")
        servers = running.enter_context(embedded.start(folder / "data"))
        # Beside the server: on the other core it would wait for turns of whatever makes the load.
        pin(servers.valkey_pid, SERVER_CORE)
        url = database_url or servers.database_url
        if database_url:
            url = running.enter_context(_own_database(database_url))
        address = f"127.0.0.1:{free_port()}"
        environment = {
            **os.environ,
            "CANDELA_DATABASE_URL": url,
            "CANDELA_REDIS_URL": servers.redis_url,
            "CANDELA_GRPC_ADDRESS": address,
            "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
            "CANDELA_LOG_LEVEL": "warning",
        }
        candela(environment, "migrate")
        merchant = json.loads(candela(environment, "merchant", "create", "Bench", "--json"))
        pid = running.enter_context(
            process(
                [sys.executable, "-m", "candela_server", "serve"],
                environment,
                core=SERVER_CORE,
                log=folder / "server.log",
            )
        )
        wait_for(address)
        say(f"selling the plan Team to {CUSTOMERS} customers")
        plan = team_plan("team")
        user_ids: list[str] = []
        made = Stage(
            address=address,
            key=merchant["secret_key"],
            merchant_id=merchant["merchant_id"],
            database_url=url,
            redis_url=servers.redis_url,
            server_pid=pid,
            folder=folder,
            environment=environment,
            plan=plan,
            user_ids=user_ids,
        )
        with Client(address, made.key) as client:
            client.plans.CreatePlan(plan)
            user_ids += made.add_customers(client, "user", CUSTOMERS)
        yield made


@contextmanager
def another_server(made: Stage, name: str, *, core: int, **settings: str) -> Iterator[Stage]:
    """The stage with a further server on the same databases, with some settings of its own."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **made.environment,
        "CANDELA_GRPC_ADDRESS": address,
        "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
        **settings,
    }
    with process(
        [sys.executable, "-m", "candela_server", "serve"],
        environment,
        core=core,
        log=made.folder / f"{name}.log",
    ) as pid:
        wait_for(address)
        yield replace(made, address=address, server_pid=pid)


@contextmanager
def _own_database(server_url: str) -> Iterator[str]:
    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{server_url.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
