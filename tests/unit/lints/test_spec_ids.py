"""The check that spec ids are lines of the specification."""

from __future__ import annotations

from pathlib import Path

from scripts.lints import spec_ids
from scripts.lints.findings import Source

known = spec_ids.known_ids("- **CRD-8** Monetary credits…\n- **INV-2** Exactly once…\n")


def test_specification__its_lines_are_known() -> None:
    assert {"CRD-8", "INV-2"} == known


def test_marker_of_an_unknown_line__is_found() -> None:
    text = '@pytest.mark.spec("CRD-8", "CRD-99")\ndef test_it(): ...\n'

    got = [one.message for one in spec_ids.check_tests(Source.parse(text, Path("t.py")), known)]

    assert got == ["no line of the specification is CRD-99"]


def test_unknown_id_in_a_comment__is_found_with_its_line() -> None:
    got = list(spec_ids.check_text(Path("x.proto"), "// (CRD-8)\n// (INV-77)\n", known))

    assert [(one.line, one.message) for one in got] == [
        (2, "no line of the specification is INV-77")
    ]


def test_invoice_numbers_and_other_names__are_no_ids() -> None:
    assert list(spec_ids.named_ids("INV-000042, UTF-8, SHA-256, CRD-8", known)) == [(1, "CRD-8")]


def test_markers__tell_what_is_proven() -> None:
    text = '@pytest.mark.spec("CRD-8", "INV-2")\ndef test_it(): ...\n'

    got = {one for _, one in spec_ids.proven_ids(Source.parse(text, Path("t.py")))}

    assert got == {"CRD-8", "INV-2"}
