"""Reading: every format, every kind of bad line, and the same answer however the blocks are cut."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tandem.components.log_example_gen.readers.block import ROW, Malformed
from tandem.components.log_example_gen.readers.registry import READERS, read_columns, read_file, reader_of
from tandem.components.log_example_gen.settings import Files
from tandem.components.log_example_gen.sources import LogsError, filesystem, find_files


def spec_of(name: str, **more: Any) -> Files:
    return Files(files=name, **more)


def read(
    folder: Path, name: str, data: bytes | None, columns: list[str], block_bytes: int = 1 << 20, **more: Any
) -> tuple[list[tuple], list[Malformed]]:
    """Writes and reads a file; returns rows with their number last, and the malformed lines."""
    if data is not None:
        (folder / name).write_bytes(data)
    spec = spec_of(name, **more)
    (file,) = find_files(spec, str(folder), "log")
    blocks = list(read_file(filesystem(str(folder))[0], file, spec, columns, block_bytes))
    rows = [row for block in blocks for row in block.rows.select(*columns, ROW).iter_rows()]
    return rows, [line for block in blocks for line in block.malformed]


def test_csv_cells_are_text_and_columns_are_chosen_and_renamed(tmp_path: Path) -> None:
    data = b"id,x,when\n007,1.50,2022-01-01\n,NA,null\n"
    rows, bad = read(tmp_path, "a.csv", data, ["key", "when"], rename={"id": "key"})
    assert rows == [("007", "2022-01-01", 1), ("", "null", 2)]
    assert bad == []


def test_csv_lines_of_another_width_are_given_out_with_their_number(tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.csv", b"a,b\n1,2\n3\n4,5,6\n7,8\n", ["a", "b"])
    assert rows == [("1", "2", 1), ("7", "8", 4)]
    assert bad == [Malformed(2, "3", "1 cells instead of 2"), Malformed(3, "4,5,6", "3 cells instead of 2")]


def test_csv_quotes_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    data = b'a,b\r\n"x,1","say ""hi"""\r\n"two\nlines",5" screen\r\n"",z\r\n'
    rows, bad = read(tmp_path, "a.csv", data, ["a", "b"])
    assert rows == [("x,1", 'say "hi"', 1), ("two\nlines", '5" screen', 2), ("", "z", 3)]
    assert bad == []


def test_csv_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.csv", b'a,b\n1,2\n3,"4\n5,6\n7,"8 9"\n10,11\n', ["a", "b"])
    assert rows == [("1", "2", 1), ("5", "6", 3), ("7", "8 9", 4), ("10", "11", 5)]
    assert bad == [Malformed(2, '3,"4', "a quote is not closed")]


def test_csv_quotes_can_be_plain_characters(tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.tsv", b'a\tb\n1\t"2\n3\t4"\n', ["a", "b"], quoting=False)
    assert rows == [("1", '"2', 1), ("3", '4"', 2)]
    assert bad == []


def test_csv_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.csv", "a,b\n1,é\n".encode() + b"2,\xe9\n\xff\n3,x\n", ["a", "b"])
    assert rows == [("1", "é", 1), ("3", "x", 4)]
    assert bad == [Malformed(2, "2,\\xe9", "not UTF-8"), Malformed(3, "\\xff", "1 cells instead of 2")]


@pytest.mark.parametrize("data", [b"a,b\n", b"a,b", b"\xef\xbb\xbfa,b\n\n\n"])
def test_csv_with_a_header_alone_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, "a.csv", data, ["a", "b"]) == ([], [])


def test_csv_without_a_header_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"a\.csv is empty"):
        read(tmp_path, "a.csv", b"", ["a"])


@pytest.mark.parametrize("block_bytes", [16, 40, 1 << 20])
def test_csv_gz_with_a_byte_order_mark_of_several_members_in_blocks(tmp_path: Path, block_bytes: int) -> None:
    lines = [f'{i},"v{i},\n"\n' if i % 7 == 0 else f"{i}\n" if i % 5 == 0 else f"{i},v{i}\n" for i in range(1, 50)]
    text = "\ufeffa,b\n" + "".join(lines)
    data = gzip.compress(text[:99].encode()) + gzip.compress(text[99:].encode())
    rows, bad = read(tmp_path, "a.csv.gz", data, ["a", "b"], block_bytes)
    numbers = [i for i in range(1, 50) if i % 7 == 0 or i % 5]
    assert rows == [(str(i), f"v{i},\n" if i % 7 == 0 else f"v{i}", i) for i in numbers]
    assert [line.row for line in bad] == [i for i in range(1, 50) if i not in numbers]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.sampled_from(["1,2\n", '"a\nb",c\n', "x\n", '3,"4\n', '5,"6"\n', '"7""",8\n', '9,1" x\n', "\n"]), max_size=12
    ),
    st.integers(10, 60),
)
def test_csv_records_do_not_depend_on_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block_bytes: int
) -> None:
    # An unclosed quote may be closed by a later one; where a block ends must not matter as long as quotes are balanced.
    data = ("a,b\n" + "".join(line for line in lines if line.count('"') % 2 == 0)).encode()
    folder = tmp_path_factory.mktemp("csv")
    assert read(folder, "a.csv", data, ["a", "b"], block_bytes) == read(folder, "a.csv", data, ["a", "b"])


def test_a_gz_that_is_cut_off_is_an_error_that_names_it(tmp_path: Path) -> None:
    data = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-12]
    with pytest.raises(LogsError, match=r"a\.csv\.gz cannot be read: .*[Tt]runcated"):
        read(tmp_path, "a.csv.gz", data, ["a"])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path, name: str) -> None:
    if name == "a.csv":
        (tmp_path / name).write_bytes(b"id,x\n1,2\n")
    else:
        parquet.write_table(pa.table({"id": [1], "x": [2]}), tmp_path / name)
    with pytest.raises(LogsError, match=r"column 'time' is missing; the columns are 'key', 'x'"):
        read(tmp_path, name, None, ["key", "time"], rename={"id": "key"})


def test_column_names_that_come_twice_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"come twice \(once renamed\): \['y'\]"):
        read(tmp_path, "a.csv", b"x,y\n1,2\n", ["y"], rename={"x": "y"})


def jsonl(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_jsonl_scalars_become_text_and_lists_stay(tmp_path: Path) -> None:
    data = jsonl(
        {"id": 7, "n": 1.5, "flag": True, "tags": ["a", "b"], "when": "2022-01-01 00:00:00", "more": {"x": 1}},
        {"id": 8, "n": 2.0, "flag": None, "tags": [], "when": "2022-01-02"},
        {"n": None, "tags": ["c", None], "when": ""},
    )
    rows, bad = read(tmp_path, "a.jsonl", data, ["id", "n", "flag", "tags", "when"])
    assert rows == [
        ("7", "1.5", "true", ["a", "b"], "2022-01-01 00:00:00", 1),
        ("8", "2", "", [], "2022-01-02", 2),
        ("", "", "", ["c"], "", 3),
    ]
    assert bad == []


def test_jsonl_bad_lines_are_given_out_and_the_rest_reads_as_without_them(tmp_path: Path) -> None:
    good = [{"id": 1, "n": 2.0, "tags": [3]}, {"id": 2, "n": 0.5, "tags": None}, {"id": 3, "n": 7, "tags": [1, 2]}]
    first, second, third = (jsonl(record) for record in good)
    clean, _ = read(tmp_path, "clean.jsonl", first + second + third, ["id", "n"])
    broken = first + b'{"id": 4,\n' + second + b"[5]\n\n" + b'{"id": "\xff"}\n' + third + b'{"id": {"x": 1}}\n'
    rows, bad = read(tmp_path, "broken.jsonl", broken, ["id", "n"])
    assert [row[:2] for row in rows] == [row[:2] for row in clean] == [("1", "2"), ("2", "0.5"), ("3", "7")]
    assert [row[2] for row in rows] == [1, 3, 6]
    assert [(line.row, line.text) for line in bad] == [
        (2, '{"id": 4,'),
        (4, "[5]"),
        (5, '{"id": "\\xff"}'),
        (7, '{"id": {"x": 1}}'),
    ]
    assert [line.why[:20] for line in bad] == [
        "no JSON: Expecting p",
        "JSON, but not an obj",
        "not UTF-8",
        "'id' is an object; a",
    ]


def test_jsonl_ids_keep_all_their_digits(tmp_path: Path) -> None:
    data = jsonl({"id": 2**64 - 1}, {"id": 2**63 + 1}, {"id": 5})
    rows, _ = read(tmp_path, "a.jsonl.gz", gzip.compress(data), ["id"])
    assert [row[0] for row in rows] == ["18446744073709551615", "9223372036854775809", "5"]


def test_jsonl_ids_of_several_types_read_alike(tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.jsonl", jsonl({"id": 1}, {"id": "1"}, {"id": 1.0}, {"id": True}), ["id"])
    assert [row[0] for row in rows] == ["1", "1", "1", "true"]
    assert bad == []


def test_jsonl_without_lines_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", b"", ["id"]) == ([], [])


@pytest.mark.parametrize("block_bytes", [10, 300])
def test_jsonl_in_blocks(tmp_path: Path, block_bytes: int) -> None:
    data = b"".join(b"{\n" if i % 9 == 0 else jsonl({"id": i, "w": f"2022-01-{i:02}"}) for i in range(1, 31))
    rows, bad = read(tmp_path, "a.jsonl", data, ["id", "w"], block_bytes)
    assert rows == [(str(i), f"2022-01-{i:02}", i) for i in range(1, 31) if i % 9]
    assert [line.row for line in bad] == [9, 18, 27]


def test_parquet_columns_become_text_and_lists_stay(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1, None, 3], pa.uint64()),
            "x": [1.0, 2.5, None],
            "tags": pa.array([["a"], None, ["b", None]], pa.list_(pa.string())),
            "kind": pa.array(["u", "v", "u"]).dictionary_encode(),
            "when": pa.array([0, 1_500_000, None], pa.timestamp("us")),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    rows, bad = read(tmp_path, "a.parquet", None, ["id", "x", "tags", "kind", "when"])
    assert rows == [
        ("1", "1", ["a"], "u", "1970-01-01 00:00:00.000000", 1),
        ("", "2.5", None, "v", "1970-01-01 00:00:01.500000", 2),
        ("3", "", ["b"], "u", "", 3),
    ]
    assert bad == []


def test_parquet_of_nested_columns_or_none_at_all_is_an_error(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": [{"x": 1}]}), tmp_path / "a.parquet")
    with pytest.raises(LogsError, match=r"column 'id' is of the type struct"):
        read(tmp_path, "a.parquet", None, ["id"])
    with pytest.raises(LogsError, match=r"b\.parquet cannot be read"):
        read(tmp_path, "b.parquet", b"nothing of the kind", ["id"])


@pytest.mark.parametrize(
    ("name", "data"), [("a.csv", b"\xef\xbb\xbfid,x\n1,2\n"), ("a.jsonl", b'{"id": 1}\n{\n{"x": 2, "id": 3}\n')]
)
def test_columns_are_told_without_reading_all(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    spec = spec_of(name, rename={"x": "y"})
    (file,) = find_files(spec, str(tmp_path), "log")
    assert read_columns(filesystem(str(tmp_path))[0], file, spec) == ("id", "y")


def test_files_are_found_by_globs_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "day/1.csv.gz", "day/deep/2.csv", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(*patterns: str) -> list[str]:
        spec = Files(files=patterns)
        found = [file.name for file in find_files(spec, str(tmp_path), "log")]
        assert all(reader_of(name, spec) is READERS["csv"] for name in found)
        return found

    assert names("*.csv") == ["a.csv", "b.csv"]
    assert names("b.csv", "*.csv") == ["a.csv", "b.csv"]
    assert names("day/?.csv*", "[!b].csv") == ["a.csv", "day/1.csv.gz"]
    assert names("**/*.csv") == ["a.csv", "b.csv", "day/deep/2.csv"]
    with pytest.raises(LogsError, match=r"clicks: no file matches 'x\*\.csv' in "):
        find_files(Files(files="x*.csv"), str(tmp_path), "clicks")
    with pytest.raises(LogsError, match=r"c\.txt: unknown ending; allowed are \.csv, \.tsv, \.jsonl, \.parquet"):
        names("c.txt")
    assert find_files(Files(files="c.txt", format="csv"), str(tmp_path), "log")


def test_rows_are_numbered_as_integers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    spec = spec_of("a.csv")
    (file,) = find_files(spec, str(tmp_path), "log")
    (block,) = read_file(filesystem(str(tmp_path))[0], file, spec, ["a"])
    assert block.rows.schema == {"a": pl.String, ROW: pl.Int64}
