"""CSV files without a header, and what is asked about first rows that do not look like one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.readers.block import Malformed
from tandem.components.log_example_gen.readers.registry import read_columns
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError, filesystem, find_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


def columns_of(folder: Path, name: str, data: bytes, **more: object) -> tuple[str, ...]:
    (folder / name).write_bytes(data)
    spec = Files(files=name, **more)
    (file,) = find_files(spec, str(folder), "log")
    return read_columns(filesystem(str(folder))[0], file, spec)


@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_the_settings_name_the_columns_and_the_first_line_is_the_first_row(
    read: Read, tmp_path: Path, block_bytes: int
) -> None:
    data = b"1,u1,9.5\n0,u2\n0,u3,\n"
    columns = ["label", "user", "price"]
    assert columns_of(tmp_path, "a.csv", data, columns=columns, rename={"user": "user_id"}) == (
        *("label", "user_id", "price"),
    )
    rows, bad = read(
        tmp_path, "a.csv", None, ["price", "user_id"], block_bytes, columns=columns, rename={"user": "user_id"}
    )
    assert rows == [("9.5", "u1", 1), ("", "u3", 3)]
    assert bad == [Malformed(2, "0,u2", "2 cells instead of 3")]


def test_too_many_or_too_few_columns_are_an_error_that_shows_a_row(tmp_path: Path) -> None:
    data = b"1,u1,9.5\n" * 20
    for columns in (["label", "user"], ["label", "user", "price", "page"]):
        with pytest.raises(LogsError) as error:
            columns_of(tmp_path, "a.csv", data, columns=columns)
        assert str(error.value) == (
            f"a.csv: its rows have 3 cells, and 'columns' names {len(columns)}; the first row is: 1,u1,9.5"
        )
    # A tenth of the rows may be of another width before that, and some may be malformed in any other way.
    assert columns_of(tmp_path, "a.csv", data + b"1,2\n" * 5, columns=["a", "b"]) == ("a", "b")
    with pytest.raises(LogsError, match=r"rows have 1 cell, and 'columns' names 2; .*: 1;u1; is the delimiter ';'\?"):
        columns_of(tmp_path, "a.csv", b"1;u1\n" * 3, columns=["label", "user"])


def test_columns_name_each_cell_once_and_only_of_csv_files(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"names that come twice: \['a'\]"):
        Files(files="*", columns=["a", "b", "a"])
    with pytest.raises(LogsError, match=r"a\.jsonl: 'columns' are for CSV files without a header"):
        columns_of(tmp_path, "a.jsonl", b'{"a": 1}\n', columns=["a"])


@pytest.mark.parametrize(
    ("first_row", "asked"),
    [
        (
            b"0\t1.5\t\t68fd1e64",
            "; no header? Then name the columns with 'columns'. The first row is: 0\t1.5\t\t68fd1e64",
        ),
        (b"u1\t2014-04-01T20:54:54Z\tweb\ti", "; no header? "),
        (b"web\tweb\tu\ti", "; no header? "),
        (b"user\titem\tcost\tpage", ""),
        (b"\tuser\titem\tcost", ""),  # the nameless column of a data frame's index
        (b"user;item;cost", "; is the delimiter ';'? Then say so with 'delimiter'"),
        (b"user::item", "; is the delimiter '::'? "),
        (b"user\tClicked\tcost\tpage", "; did you mean 'Clicked'?"),
    ],
)
def test_a_first_row_that_lacks_a_column_is_doubted(read: Read, tmp_path: Path, first_row: bytes, asked: str) -> None:
    with pytest.raises(LogsError) as error:
        read(tmp_path, "a.tsv", first_row + b"\n" + first_row + b"\n", ["clicked"])
    if b"web\tweb" in first_row:
        assert "come twice: ['web']" in str(error.value)
    else:
        assert "column 'clicked' is missing; the columns are " in str(error.value)
    assert (asked in str(error.value)) if asked else "?" not in str(error.value)


@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
@pytest.mark.parametrize("odd", [b"", b"x\n"])
def test_a_header_in_the_middle_is_set_aside_and_is_not_bad(
    read: Read, tmp_path: Path, block_bytes: int, odd: bytes
) -> None:
    data = b"user,item\nu1,i1\nuser,item\nuser,i2\n" + odd + b"user,item\n"
    rows, lines = read(tmp_path, "a.csv", data, ["user"], block_bytes)
    assert rows == [("u1", 1), ("user", 3)]
    again = [line for line in lines if line.text != "x"]
    assert [(line.row, line.text, line.reason.name, line.reason.bad) for line in again] == [
        (2, "user,item", "repeated_header", False),
        (4 + bool(odd), "user,item", "repeated_header", False),
    ]
