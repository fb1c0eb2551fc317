"""What stands between cells, and before quotes within them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tandem.components.log_example_gen.readers.block import Malformed
from tandem.components.log_example_gen.readers.escapes import with_doubled_quotes
from tandem.components.log_example_gen.settings.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


@pytest.mark.parametrize(
    ("written", "between"),
    [
        ("::", "::"),
        ("||", "||"),
        ("§", "§"),
        ("\\t", "\t"),
        ("tab", "\t"),
        ("pipe", "|"),
        ("semicolon", ";"),
        ("space", " "),
        ("\\x01", "\x01"),
        ("\\001", "\x01"),
        ("\\u0002", "\x02"),
        ("\x1f", "\x1f"),
        ("whitespace", " \t "),
    ],
)
@pytest.mark.parametrize("block_bytes", [12, 1 << 20])
def test_delimiters(read: Read, tmp_path: Path, written: str, between: str, block_bytes: int) -> None:
    lines = [["n", "x"], ["1", "a"], ["2"], ["3", '"b c"'], ["4", "d"]]
    data = "".join(between.join(line) + "\r\n" for line in lines).encode()
    rows, bad = read(tmp_path, "a.txt", data, ["n", "x"], block_bytes, format="csv", delimiter=written)
    assert rows == [("1", "a", 1), ("3", "b c", 3), ("4", "d", 4)]
    assert bad == [Malformed(2, "2", "1 cells instead of 2")]


@pytest.mark.parametrize("odd", [b"", b"3::c::d\n"])
def test_a_delimiter_of_several_characters_stands_in_quotes_as_well(read: Read, tmp_path: Path, odd: bytes) -> None:
    data = b'n::"x::y"\n1::"a::b"\n2::c:\n' + odd
    rows, bad = read(tmp_path, "a.txt", data, ["n", "x::y"], format="csv", delimiter="::")
    assert rows == [("1", "a::b", 1), ("2", "c:", 2)]
    assert bad == ([Malformed(3, "3::c::d", "3 cells instead of 2")] if odd else [])


def test_whitespace_around_lines_is_no_cell(read: Read, tmp_path: Path) -> None:
    data = b"  1 \t u1\r\n2 u2  \r\n\tx\n"
    rows, bad = read(tmp_path, "a.txt", data, ["n", "x"], format="csv", delimiter="whitespace", columns=["n", "x"])
    assert rows == [("1", "u1", 1), ("2", "u2", 2)]
    assert bad == [Malformed(3, "x", "1 cells instead of 2")]


def test_all_control_characters_in_use_is_nothing_to_stumble_over(read: Read, tmp_path: Path) -> None:
    used = bytes(code for code in range(1, 0x20) if code not in (9, 10, 13, 3))
    rows, _ = read(tmp_path, "a.txt", b"n::x\n1::" + used + b"\n", ["n", "x"], format="csv", delimiter="::")
    assert rows == [("1", used.decode(), 1)]


@pytest.mark.parametrize("delimiter", ["\n", 'a"b', ""])
def test_what_is_no_delimiter(delimiter: str) -> None:
    with pytest.raises(ValidationError):
        Files(files="*", delimiter=delimiter)


@pytest.mark.parametrize("more", [{"escape": '"'}, {"escape": "é"}, {"escape": "\\", "quoting": False}])
def test_what_is_no_escape(more: dict) -> None:
    with pytest.raises(ValidationError, match="'escape'"):
        Files(files="*", **more)


CELLS = st.text(st.sampled_from('ab\\", '), max_size=6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.integers(20, 60))
def test_escaped_quotes_read_as_python_writes_them(
    read: Read, tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], block_bytes: int
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\", lineterminator="\n").writerows(cells)
    # Python's writer leaves a backslash as it is; written so that it can be read, it is escaped before a quote.
    lines = [",".join('"' + escaped(cell) + '"' for cell in row) for row in cells]
    data = ("x,y\n" + "\n".join(lines) + "\n").encode()
    rows, bad = read(tmp_path_factory.mktemp("csv"), "a.csv", data, ["x", "y"], block_bytes, escape="\\")
    assert bad == []
    assert [row[:2] for row in rows] == cells


def escaped(cell: str) -> str:
    """Escapes quotes, and the backslashes that stand before one or before the end."""
    text = ""
    for i, character in enumerate(cell):
        rest = cell[i:].lstrip("\\")
        before_quote = character == "\\" and (not rest or rest[0] == '"')
        text += "\\" + character if character == '"' or before_quote else character
    return text


def test_each_two_escapes_before_a_quote_stand_for_one() -> None:
    assert with_doubled_quotes(rb'"a\"b","c\\","\\\"d",C:\new', b"\\") == rb'"a""b","c\","\""d",C:\new'


SPARK = rb"""n,x
1,"say \"hi\", he said"
2,"plain"
3,"ends with \\"
"""


@pytest.mark.parametrize("block_bytes", [12, 1 << 20])
def test_a_backslash_before_quotes_is_guessed_and_said(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture, block_bytes: int
) -> None:
    expected = [("1", 'say "hi", he said', 1), ("2", "plain", 2), ("3", "ends with \\", 3)]
    assert read(tmp_path, "a.csv", SPARK, ["n", "x"], block_bytes) == (expected, [])
    assert caplog.messages == [r"a.csv: quotes are read as escaped by \; 'escape' says so for all files"]
    caplog.clear()
    assert read(tmp_path, "a.csv", SPARK, ["n", "x"], block_bytes, escape="\\") == (expected, [])
    assert caplog.messages == []


def test_nothing_is_guessed_of_a_backslash_that_ends_a_cell(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = b'n,x\n1,"C:\\"\n2,"D:\\"\n'
    assert read(tmp_path, "a.csv", data, ["n", "x"])[0] == [("1", "C:\\", 1), ("2", "D:\\", 2)]
    assert caplog.messages == []


@pytest.mark.parametrize("block_bytes", [400_000, 1 << 20])
def test_an_escape_that_shows_only_later_is_asked_about(read: Read, tmp_path: Path, block_bytes: int) -> None:
    data = b"n,x\n" + b"1,plain\n" * 40_000 + b'2,"say \\"hi\\", he said"\n3,x\n'
    rows, bad = read(tmp_path, "a.csv", data, ["n", "x"], block_bytes)
    assert (len(rows), rows[-1]) == (40_001, ("3", "x", 40_002))
    assert [(line.row, line.why) for line in bad] == [(40_001, "3 cells instead of 2; is \\ the 'escape'?")]
