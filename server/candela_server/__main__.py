"""python -m candela_server: the same as the command `candela`."""

from candela_server.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
