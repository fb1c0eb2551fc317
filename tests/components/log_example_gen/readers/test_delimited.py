"""CSV and TSV: every kind of bad line, and the same answer however the blocks are cut."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.components.log_example_gen.readers.block import ROW, Malformed
from tandem.components.log_example_gen.readers.registry import read_file
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError, filesystem, find_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


def test_csv_cells_are_text_and_columns_are_chosen_and_renamed(read: Read, tmp_path: Path) -> None:
    data = b"id,x,when\n007,1.50,2022-01-01\n,NA,null\n"
    rows, bad = read(tmp_path, "a.csv", data, ["key", "when"], rename={"id": "key"})
    assert rows == [("007", "2022-01-01", 1), ("", "", 2)]
    assert bad == []


def test_csv_lines_of_another_width_are_given_out_with_their_number(read: Read, tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.csv", b"a,b\n1,2\n3\n4,5,6\n7,8\n", ["a", "b"])
    assert rows == [("1", "2", 1), ("7", "8", 4)]
    assert bad == [Malformed(2, "3", "1 cells instead of 2"), Malformed(3, "4,5,6", "3 cells instead of 2")]


def test_csv_quotes_hold_separators_quotes_and_line_ends(read: Read, tmp_path: Path) -> None:
    data = b'a,b\r\n"x,1","say ""hi"""\r\n"two\nlines",5" screen\r\n"",z\r\n'
    rows, bad = read(tmp_path, "a.csv", data, ["a", "b"])
    assert rows == [("x,1", 'say "hi"', 1), ("two\nlines", '5" screen', 2), ("", "z", 3)]
    assert bad == []


def test_csv_a_quote_that_is_never_closed_costs_its_own_line_only(read: Read, tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.csv", b'a,b\n1,2\n3,"4\n5,6\n7,"8 9"\n10,11\n', ["a", "b"])
    assert rows == [("1", "2", 1), ("5", "6", 3), ("7", "8 9", 4), ("10", "11", 5)]
    assert bad == [Malformed(2, '3,"4', "a quote is not closed")]


def test_csv_quotes_can_be_plain_characters(read: Read, tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.tsv", b'a\tb\n1\t"2\n3\t4"\n', ["a", "b"], quoting=False)
    assert rows == [("1", '"2', 1), ("3", '4"', 2)]
    assert bad == []


def test_csv_bytes_that_are_no_utf8(read: Read, tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.csv", "a,b\n1,é\n".encode() + b"2,\xe9\n\xff\n3,x\n", ["a", "b"])
    assert rows == [("1", "é", 1), ("3", "x", 4)]
    assert bad == [Malformed(2, "2,\\xe9", "not UTF-8"), Malformed(3, "\\xff", "1 cells instead of 2")]


@pytest.mark.parametrize("data", [b"a,b\n", b"a,b", b"\xef\xbb\xbfa,b\n\n\n"])
def test_csv_with_a_header_alone_has_no_rows(read: Read, tmp_path: Path, data: bytes) -> None:
    assert read(tmp_path, "a.csv", data, ["a", "b"]) == ([], [])


def test_csv_without_a_header_is_an_error(read: Read, tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"a\.csv is empty"):
        read(tmp_path, "a.csv", b"", ["a"])


@pytest.mark.parametrize("block_bytes", [16, 40, 1 << 20])
def test_csv_gz_with_a_byte_order_mark_of_several_members_in_blocks(
    read: Read, tmp_path: Path, block_bytes: int
) -> None:
    lines = [f'{i},"v{i},\n"\n' if i % 7 == 0 else f"{i}\n" if i % 5 == 0 else f"{i},v{i}\n" for i in range(1, 50)]
    text = "\ufeffa,b\n" + "".join(lines)
    data = gzip.compress(text[:99].encode()) + gzip.compress(text[99:].encode())
    rows, bad = read(tmp_path, "a.csv.gz", data, ["a", "b"], block_bytes)
    numbers = [i for i in range(1, 50) if i % 7 == 0 or i % 5]
    assert rows == [(str(i), f"v{i},\n" if i % 7 == 0 else f"v{i}", i) for i in numbers]
    assert [line.row for line in bad] == [i for i in range(1, 50) if i not in numbers]


@settings(max_examples=15)
@given(
    st.lists(
        st.sampled_from(["1,2\n", '"a\nb",c\n', "x\n", '3,"4\n', '5,"6"\n', '"7""",8\n', '9,1" x\n', "\n"]), max_size=12
    ),
    st.integers(10, 60),
)
def test_csv_records_do_not_depend_on_the_blocks(
    read: Read, tmp_path_factory: pytest.TempPathFactory, lines: list[str], block_bytes: int
) -> None:
    # An unclosed quote may be closed by a later one; where a block ends must not matter as long as quotes are balanced.
    data = ("a,b\n" + "".join(line for line in lines if line.count('"') % 2 == 0)).encode()
    folder = tmp_path_factory.mktemp("csv")
    assert read(folder, "a.csv", data, ["a", "b"], block_bytes) == read(folder, "a.csv", data, ["a", "b"])


def test_a_gz_that_is_cut_off_is_an_error_that_names_it(read: Read, tmp_path: Path) -> None:
    data = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-12]
    with pytest.raises(LogsError, match=r"a\.csv\.gz cannot be read: .*[Tt]runcated"):
        read(tmp_path, "a.csv.gz", data, ["a"])


def test_rows_are_numbered_as_integers(read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    spec = Files(files="a.csv")
    (file,) = find_files(spec, str(tmp_path), "log")
    (block,) = read_file(filesystem(str(tmp_path))[0], file, spec, ["a"])
    assert block.rows.schema == {"a": pl.String, ROW: pl.Int64}
