"""Rules of the house that no ready linter knows, each a small program with a test in tests/unit/lints."""
