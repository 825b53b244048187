"""The command `candela`: serve · worker · migrate · merchant · parked · events · health · config."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import SecretStr, ValidationError

from candela_server import operate
from candela_server.app.serve import serve
from candela_server.app.work import work
from candela_server.config import Settings
from candela_server.importing.arguments import add_import_command, import_options
from candela_server.kernel.errors import CandelaError
from candela_server.kernel.read_fields import currency_code, time_zone
from candela_server.kernel.read_names import line


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        settings = _settings(options)
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"])
            print(f"candela: CANDELA_{name.upper()}: {problem['msg']}", file=sys.stderr)
        return 2
    command: Callable[[Settings, argparse.Namespace], int] = options.command
    try:
        return command(settings, options)
    except (OSError, CandelaError) as error:
        # A database that is not there, a port that is taken: the operator's to mend, so no traceback.
        print(f"candela: {error}", file=sys.stderr)
        return 1


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    return serve(settings)


def _worker(settings: Settings, options: argparse.Namespace) -> int:
    return work(settings)


def _migrate(settings: Settings, options: argparse.Namespace) -> int:
    for done in operate.migrate(settings, phase=options.phase):
        print(done)
    return 0


def _create_merchant(settings: Settings, options: argparse.Namespace) -> int:
    created = operate.create_merchant(
        settings,
        name=options.name,
        mode=options.mode,
        time_zone=options.time_zone,
        currency=options.currency,
    )
    if options.json:
        print(json.dumps(created))
        return 0
    print(f"merchant         {created['merchant_id']} ({options.mode} mode)")
    print(f"secret key       {created['secret_key']}    shown this once: keep it on your servers")
    print(f"publishable key  {created['publishable_key']}    may be in a browser")
    return 0


def _list_parked(settings: Settings, options: argparse.Namespace) -> int:
    found = operate.list_parked(settings)
    if options.json:
        print(json.dumps(found))
        return 0
    for one in found:
        print(
            f"{one['merchant_id']}  {one['customer_id']}  {one['subscription_id']}  "
            f"parked {one['parked_at']}  due since {one['due_at']}"
        )
    if not found:
        print("nobody is parked")
    return 0


def _release(settings: Settings, options: argparse.Namespace) -> int:
    released = operate.release(
        settings,
        merchant_id=options.merchant_id,
        customer_id=options.customer_id,
        reason=options.reason,
    )
    if not released:
        print(f"candela: nothing of {options.customer_id} is parked", file=sys.stderr)
        return 1
    for subscription_id in released:
        print(f"{subscription_id} is billed again")
    return 0


def _health(settings: Settings, options: argparse.Namespace) -> int:
    return operate.health(settings.grpc_address)


def _import_events(settings: Settings, options: argparse.Namespace) -> int:
    api_key = options.api_key or os.environ.get("CANDELA_API_KEY", "")
    if not api_key:
        print("candela: no API key; set CANDELA_API_KEY, or give --api-key", file=sys.stderr)
        return 2
    return operate.import_events(
        server=options.server or os.environ.get("CANDELA_SERVER") or settings.grpc_address,
        api_key=api_key,
        tls=options.tls,
        options=import_options(options),
        quiet=options.quiet,
        as_json=options.json,
    )


def _config(settings: Settings, options: argparse.Namespace) -> int:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        shown = "********" if isinstance(value, SecretStr) else value
        print(f"CANDELA_{name.upper()}={shown if shown is not None else ''}")
    return 0


_FLAGS: dict[str, Callable[[str], Any]] = {
    "database-url": str,
    "redis-url": str,
    "grpc-address": str,
    "http-address": str,
    "role": str,
    "workers": int,
    "log-level": str,
}


def parser() -> argparse.ArgumentParser:
    """The commands and flags."""
    flags = argparse.ArgumentParser(add_help=False)
    for name, kind in _FLAGS.items():
        variable = f"CANDELA_{name.upper().replace('-', '_')}"
        # Suppressed, so that a flag before the command and one after it are both heard.
        flags.add_argument(f"--{name}", type=kind, default=argparse.SUPPRESS, help=variable)
    parser = argparse.ArgumentParser(
        prog="candela",
        description="Candela, the billing engine. Settings come from CANDELA_… or from flags.",
        parents=[flags],
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, function: Callable[[Settings, argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, parents=[flags])
        added.set_defaults(command=function)
        return added

    command("serve", _serve, "answer gRPC and HTTP")
    command("worker", _worker, "do what is due")
    migrate = command("migrate", _migrate, "bring the database to this release")
    migrate.add_argument("--phase", choices=["pre", "post", "all"], default="all")
    command("health", _health, "ask a server whether it serves")
    command("config", _config, "print the settings in force")
    merchant = commands.add_parser("merchant", help="manage merchants")
    merchant_commands = merchant.add_subparsers(required=True, metavar="COMMAND")
    create = merchant_commands.add_parser(
        "create", help="add a merchant and print its first keys, once", parents=[flags]
    )
    create.add_argument("name", type=_checked(line(1, 200)))
    create.add_argument("--mode", choices=["live", "test"], default="test")
    create.add_argument("--time-zone", type=_checked(time_zone), default="UTC", help="an IANA name")
    create.add_argument(
        "--currency", type=_checked(currency_code), default="USD", help="an ISO 4217 code"
    )
    create.add_argument("--json", action="store_true", help="print one JSON object")
    create.set_defaults(command=_create_merchant)
    parked = commands.add_parser("parked", help="customers whom a safety bound keeps from billing")
    parked_commands = parked.add_subparsers(required=True, metavar="COMMAND")
    listed = parked_commands.add_parser("list", help="show who is parked", parents=[flags])
    listed.add_argument("--json", action="store_true", help="print one JSON array")
    listed.set_defaults(command=_list_parked)
    released = parked_commands.add_parser(
        "release", help="bill a customer again, after somebody has looked", parents=[flags]
    )
    released.add_argument("merchant_id")
    released.add_argument("customer_id")
    released.add_argument("--reason", required=True, help="goes into the audit trail")
    released.set_defaults(command=_release)
    events = commands.add_parser("events", help="manage usage events")
    events_commands = events.add_subparsers(required=True, metavar="COMMAND")
    add_import_command(events_commands, flags).set_defaults(command=_import_events)
    return parser


def _checked(read: Callable[[str], str]) -> Callable[[str], str]:
    """A flag's reader that says what is wrong with a value."""

    def check(value: str) -> str:
        try:
            return read(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return check


def _settings(options: argparse.Namespace) -> Settings:
    named = {name.replace("-", "_") for name in _FLAGS}
    given = {name: value for name, value in vars(options).items() if name in named}
    if options.command in (_health, _import_events):
        # Calling a server needs no database.
        given.setdefault("database_url", "postgresql://unused")
    return Settings(**given)
