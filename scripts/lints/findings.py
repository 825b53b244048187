"""What the checks share: reading Python files, escape comments, and how a finding is printed."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = REPOSITORY / "server" / "candela_server"
_SHORTEST_REASON_CHARACTERS = 10


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One place that breaks a rule."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        path = self.path.relative_to(REPOSITORY) if self.path.is_absolute() else self.path
        return f"{path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file, parsed."""

    path: Path
    text: str
    tree: ast.Module = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Source:
        """The file at `path`."""
        return cls.parse(path.read_text(), path)

    @classmethod
    def parse(cls, text: str, path: Path) -> Source:
        """`text` as if it stood at `path`."""
        return cls(path, text, ast.parse(text, filename=str(path)))

    def escapes(self, rule: str, node: ast.expr | ast.stmt) -> bool:
        """Whether a comment allows this place: `# <rule>: <reason>`, on its lines or right above.

        In SQL the comment is written `-- <rule>: <reason>`. A reason of a word or two is none.
        """
        lines = self.text.splitlines()
        last = node.end_lineno or node.lineno
        first = self._statement_line(node) - 1
        # Comments above may take several lines.
        while first > 0 and lines[first - 1].lstrip().startswith("#"):
            first -= 1
        comment = re.compile(rf"(?:#|--) {re.escape(rule)}: (.+)")
        return any(
            len(found.group(1)) >= _SHORTEST_REASON_CHARACTERS
            for line in lines[first:last]
            if (found := comment.search(line))
        )

    def _statement_line(self, node: ast.expr | ast.stmt) -> int:
        """The line on which the innermost statement around `node` begins."""
        return max(
            (
                statement.lineno
                for statement in ast.walk(self.tree)
                if isinstance(statement, ast.stmt)
                and statement.lineno <= node.lineno <= (statement.end_lineno or 0)
            ),
            default=node.lineno,
        )


def python_files(folder: Path) -> Iterator[Path]:
    """The folder's Python files, in order."""
    return iter(sorted(folder.rglob("*.py")))


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the nodes that are docstrings."""
    found = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(first := node.body[0], ast.Expr)
            and isinstance(first.value, ast.Constant)
        ):
            found.add(id(first.value))
    return found


def texts(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Every string of the file that is no docstring; of an f-string its fixed parts, joined."""
    left_out = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node, node.value
        elif isinstance(node, ast.JoinedStr):
            fixed = [part.value for part in node.values if isinstance(part, ast.Constant)]
            yield node, " ".join(str(part) for part in fixed)


def report(findings: Iterable[Finding]) -> int:
    """Prints them, and gives the exit code: 1 if there is any."""
    found = sorted(findings)
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0


def check_files(folder: Path, check: Callable[[Source], Iterable[Finding]]) -> int:
    """Runs `check` on every Python file below `folder`, reports, and gives the exit code."""
    return report(finding for path in python_files(folder) for finding in check(Source.read(path)))
