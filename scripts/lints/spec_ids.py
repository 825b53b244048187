"""Every spec id that tests, code and contracts name is a line of docs/specification.md.

With --untested it prints the lines that no test proves yet, and finds no fault in that.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Set
from pathlib import Path

from scripts.lints.findings import REPOSITORY, SERVER, Finding, Source, python_files, report

_SPECIFICATION = REPOSITORY / "docs" / "specification.md"
_LINE = re.compile(r"^- \*\*([A-Z]{3,4}-\d+)\*\*", re.MULTILINE)


def known_ids(specification: str) -> frozenset[str]:
    """The ids of the specification's lines."""
    return frozenset(_LINE.findall(specification))


def named_ids(text: str, known: Set[str]) -> Iterator[tuple[int, str]]:
    """What looks like a spec id in a text, with its line: a known prefix, a hyphen and a number."""
    prefixes = "|".join(sorted({one.partition("-")[0] for one in known}))
    # An invoice's number, INV-000042, is no spec id: they are not padded.
    pattern = re.compile(rf"\b(?:{prefixes})-[1-9]\d{{0,2}}\b(?!-)")
    for number, line in enumerate(text.splitlines(), start=1):
        for found in pattern.finditer(line):
            yield number, found.group()


def proven_ids(source: Source) -> Iterator[tuple[int, str]]:
    """The ids in a test file's `spec` markers, with their lines."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "spec"
        ):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def check_tests(source: Source, known: Set[str]) -> Iterator[Finding]:
    """Markers that name unknown lines."""
    for line, one in proven_ids(source):
        if one not in known:
            yield Finding(
                path=source.path, line=line, message=f"no line of the specification is {one}"
            )


def check_text(path: Path, text: str, known: Set[str]) -> Iterator[Finding]:
    """Unknown ids in code or contracts."""
    for line, one in named_ids(text, known):
        if one not in known:
            yield Finding(path=path, line=line, message=f"no line of the specification is {one}")


def main() -> int:
    """Checks the repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--untested", action="store_true", help="print the lines without a test")
    untested = parser.parse_args().untested
    known = known_ids(_SPECIFICATION.read_text())
    tests = [Source.read(path) for path in python_files(REPOSITORY / "tests")]
    if untested:
        proven = {one for source in tests for _, one in proven_ids(source)}
        print(
            "\n".join(
                sorted(known - proven, key=lambda one: (one.rpartition("-")[0], len(one), one))
            )
        )
        return 0
    findings = [finding for source in tests for finding in check_tests(source, known)]
    for folder, ending in ((SERVER, "*.py"), (REPOSITORY / "proto", "*.proto")):
        for path in sorted(folder.rglob(ending)):
            findings.extend(check_text(path, path.read_text(), known))
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
