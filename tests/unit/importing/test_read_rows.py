"""Reading usage files: every row with its line, bad ones too, from any place on, in little memory (EVT-1)."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.importing.model import ImportFileError, ImportOptions, Row, RowError
from candela_server.importing.read_rows import read_rows
from candela_server.importing.rules.row_event import event_of_row, instant_us

pytestmark = pytest.mark.spec("EVT-1")

_HEADER = b"idempotency_key,name,external_customer_id,value,properties.note\n"


def rows(path: Path, content: bytes, offset: int = 0, line: int = 0, **more: object) -> list[Row]:
    path.write_bytes(content)
    with path.open("rb") as file:
        return list(
            read_rows(file, ImportOptions(path=path, **more), offset=offset, line=line)  # type: ignore[arg-type]
        )


@pytest.fixture
def csv_path(tmp_path: Path) -> Path:
    return tmp_path / "usage.csv"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("USAGE.CSV", b"name,user_id\napi-call,usr_1\n"),
        ("Usage.Jsonl", b'{"name": "api-call", "user_id": "usr_1"}\n'),
    ],
)
def test_ending_in_capitals__is_read_as_the_same(tmp_path: Path, name: str, content: bytes) -> None:
    assert [one.values for one in rows(tmp_path / name, content)] == [
        {"name": "api-call", "user_id": "usr_1"}
    ]


def test_csv_rows__have_lines_values_and_ends(csv_path: Path) -> None:
    body = b'a,api-call,acme,1,"two\nlines, ""quoted"""\r\n\nb,api-call,acme,2,\n'
    got = rows(csv_path, b"\xef\xbb\xbf" + _HEADER + body)

    assert [(one.line, one.problem) for one in got] == [(2, ""), (5, "")]
    assert got[0].values == {
        "idempotency_key": "a",
        "name": "api-call",
        "external_customer_id": "acme",
        "value": "1",
        "properties.note": 'two\nlines, "quoted"',
    }
    assert got[1].end == len(b"\xef\xbb\xbf" + _HEADER + body)


def test_bad_csv_rows__are_reported_by_line_and_spoil_no_other(csv_path: Path) -> None:
    body = b"\n".join(
        [
            b"a,api-call,acme,1,fine",
            b'b,api-call,acme,1,"never closed',
            b"c,api-call,acme,1,fine",
            b"d,api-call,acme",
            b"e,api-call,acme,1,\xff",
            b'f,api-call,acme,1,"x"y',
            b"g,api-call,acme,1," + b"x" * 200_000,
            b"h,api-call,acme,1," + b"x" * 20_000,
            b"i,api-call,acme,1,fine",
        ]
    )
    got = rows(csv_path, _HEADER + body)

    assert [(one.line, bool(one.problem)) for one in got] == [
        (2, False),
        (3, True),
        (4, False),
        (5, True),
        (6, True),
        (7, True),
        (8, True),
        (9, True),
        (10, False),
    ]
    assert "3 columns and the header 5" in got[3].problem
    assert "not UTF-8" in got[4].problem
    assert "longer than" in got[6].problem


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_reading_from_any_row_on__gives_the_same_rest(tmp_path: Path, ending: str) -> None:
    csv_body = _HEADER + b'a,n,c,1,"x\ny"\nb,n,c,1,"open\nc,n,c,1,\n\nd,n,c,1,\xff\ne,n,c,1,\n'
    json_body = b'{"name":"a"}\n\n{"name":\n[]\n{"name":"b"}\n{"odd":1}\n{"name":"c"}'
    path = tmp_path / f"usage.{ending}"
    whole = rows(path, csv_body if ending == "csv" else json_body)

    for number, row in enumerate(whole):
        rest = rows(
            path, path.read_bytes(), offset=row.end, line=row.line + row.content.count(b"\n")
        )
        assert rest == whole[number + 1 :]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"", "is empty"),
        (b"name,value\n1,2\n", "no column says whose"),
        (b"customer_id,value\n", "no column means name"),
        (b"name,customer_id,colour\n", "'colour' means no field"),
        (b"name,customer_id,properties.a,properties.a:number\n", "two columns mean properties.a"),
        (b"\xff\xfen\x00a\x00", "not UTF-8"),
        (b'name,"customer_id\n', "longer than one line|no header"),
        (b"x" * 100_000, "no header"),
    ],
)
def test_header_that_means_nothing__is_refused_with_what_to_do(
    csv_path: Path, header: bytes, problem: str
) -> None:
    with pytest.raises(ImportFileError, match=problem):
        rows(csv_path, header)


def test_columns__are_mapped_and_left_out(csv_path: Path) -> None:
    got = rows(
        csv_path,
        b"what;who;colour;n\ncall;acme;red;7\n",
        columns={
            "what": "name",
            "who": "external_customer_id",
            "colour": "",
            "n": "properties.n:number",
        },
        delimiter=";",
    )
    event = event_of_row(got[0], ImportOptions(path=csv_path), bytes)

    assert (event.name, event.external_customer_id) == ("call", "acme")
    assert event.properties_json == b'{"n":7}'
    with pytest.raises(ImportFileError, match="the header has none"):
        rows(csv_path, b"name,customer_id\n", columns={"nme": "name"})


def test_a_large_file__is_read_in_little_memory(csv_path: Path) -> None:
    line = b"key,api-call,acme,1," + b"x" * 1000 + b"\n"
    with csv_path.open("wb") as file:
        file.write(_HEADER)
        for _ in range(8):
            file.write(line * 1000)
        # One line of 8 MB, and one quote that is never closed before much more.
        file.write(b"y" * 8_000_000 + b"\n")
        file.write(b'k,api-call,acme,1,"open\n' + line * 1000)
    with csv_path.open("rb") as file:
        tracemalloc.start()
        count = sum(1 for _ in read_rows(file, ImportOptions(path=csv_path), offset=0, line=0))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert count == 9_002
    assert peak < 3_000_000


def row(line: int, content: bytes, **values: object) -> Row:
    return Row(
        line=line, end=0, content=content, values={"name": "n", "customer_id": "c", **values}
    )


def test_key_of_a_row__comes_from_its_line_its_content_and_if_need_be_the_whole_file() -> None:
    options = ImportOptions(path=Path("x.csv"))
    dated = {"timestamp": "2026-01-31T15:00:00Z"}

    def key(one: Row, digest: bytes = b"1", source: str = "") -> str:
        with_source = ImportOptions(path=options.path, source=source)
        return event_of_row(one, with_source, lambda: digest).idempotency_key

    assert key(row(2, b"a", **dated)) == key(row(2, b"a", **dated), digest=b"2")
    assert key(row(2, b"a")) == key(row(2, b"a"))
    assert key(row(2, b"a")) != key(row(2, b"a"), digest=b"2")
    different = {
        key(row(2, b"a", **dated)),
        key(row(3, b"a", **dated)),
        key(row(2, b"b", **dated)),
        key(row(2, b"a", **dated), source="february"),
        key(row(2, b"a")),
    }
    assert len(different) == 5
    assert key(row(2, b"a", idempotency_key="own")) == "own"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("2026-01-31T10:00:00.123456-05:00", 1_769_871_600_123_456),
        ("1769871600", 1_769_871_600_000_000),
        ("1769871600.5", 1_769_871_600_500_000),
        ("-1", -1_000_000),
    ],
)
def test_instants__are_read_exactly(text: str, want: int) -> None:
    assert instant_us(text) == want


@pytest.mark.parametrize(
    "text", ["2026-01-31T15:00:00", "2026-01-31", "1769871600123", "yesterday", "1e9", "٣"]
)
def test_instants_that_leave_zone_or_unit_open__are_refused(text: str) -> None:
    with pytest.raises(RowError) as caught:
        instant_us(text)

    assert caught.value.field == "timestamp"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"properties": {"a": [1]}}, "properties.a"),
        ({"properties": {"a": None}}, "properties.a"),
        ({"properties": "no json"}, "properties"),
        ({"properties": "[" * 50_000}, "properties"),
        ({"properties": "[1]"}, "properties"),
        ({"properties.n:number": "1e5"}, "properties.n:number"),
        ({"properties.n:boolean": "yes"}, "properties.n:boolean"),
        ({"value": True}, "value"),
        ({"value": []}, "value"),
        ({"idempotency_key": {}}, "idempotency_key"),
    ],
)
def test_row_that_is_no_event__says_which_field(values: dict[str, object], field: str) -> None:
    with pytest.raises(RowError) as caught:
        event_of_row(row(2, b"", **values), ImportOptions(path=Path("x.csv")), bytes)

    assert caught.value.field == field


def test_json_numbers__keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "usage.jsonl"
    content = (
        b'{"name":"n","customer_id":"c","value":0.10000000000000000001,'
        b'"properties":{"n":12345678901234567890,"b":true,"t":"\xc3\xbc"}}'
    )
    [got] = rows(path, content)
    event = event_of_row(got, ImportOptions(path=path), bytes)

    assert event.value == "0.10000000000000000001"
    assert event.properties_json == '{"n":12345678901234567890,"b":true,"t":"ü"}'.encode()


@given(st.binary(max_size=400))
def test_any_bytes__are_read_to_their_end_without_a_crash(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        got = rows(Path(folder) / "fuzz.csv", _HEADER + content)
        got_json = rows(Path(folder) / "fuzz.jsonl", content)

    ends = [one.end for one in got]
    assert ends == sorted(ends)
    assert len(got_json) <= content.count(b"\n") + 1
