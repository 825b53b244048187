"""Runs the demo against a server: `python -m demo --address HOST:PORT --key sk_test_… [--events FILE]`."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

import grpc
from candela import Client, failure_of

from .growth import Growth
from .scenario import Scenario


def main() -> int:
    """Runs the scenario once; 0 when every invoice is what was added up apart from it."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--address", default=os.environ.get("CANDELA_ADDRESS", "127.0.0.1:8430"))
    parser.add_argument("--key", default=os.environ.get("CANDELA_API_KEY", ""))
    parser.add_argument("--events", type=Path, help="a CSV of your own, with the same columns")
    parser.add_argument("--folder", type=Path, default=Path(".candela/demo"))
    parser.add_argument("--name", default="", help="names the customer; a fresh one by default")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    name = options.name or secrets.token_hex(3)
    with Client(options.address, options.key) as candela:
        try:
            agrees = Scenario(candela, options.folder, name, options.events).run()
            agrees = Growth(candela, name).run() and agrees
        except grpc.RpcError as error:
            print(f"\nThe server refused: {failure_of(error)}", file=sys.stderr)
            return 1
    return 0 if agrees else 1


if __name__ == "__main__":
    raise SystemExit(main())
