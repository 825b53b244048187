"""No binary floating point in the kernel, in a room's model or in its rules.

0.1 + 0.2 is not 0.3 there, and an invoice that is a cent off is wrong. Amounts and quantities are Decimal. Anything
else says why in a comment `# float: <reason>`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.lints.findings import SERVER, Finding, Source, check_files


def applies(path: Path) -> bool:
    """Whether the rule holds for this file of the server."""
    parts = path.parts
    return parts[0] == "kernel" or parts[-1] == "model.py" or "rules" in parts[:-1]


def check(source: Source) -> Iterator[Finding]:
    """The floats of a file: the name, and literals such as 0.5 or 1e3."""
    refusals = _refusals(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "float" and id(node) not in refusals:
            what = "float"
        elif isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            what = f"the literal {node.value}"
        else:
            continue
        if not source.escapes("float", node):
            yield Finding(path=source.path, line=node.lineno, message=f"{what}: use Decimal")


def _refusals(tree: ast.Module) -> set[int]:
    """Names inside isinstance(…, float), which is how a float is turned away."""
    return {
        id(name)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "isinstance"
        for argument in call.args[1:]
        for name in ast.walk(argument)
    }


def main() -> int:
    """Checks the server."""
    return check_files(
        SERVER,
        lambda source: check(source) if applies(source.path.relative_to(SERVER)) else (),
    )


if __name__ == "__main__":
    sys.exit(main())
