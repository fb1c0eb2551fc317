"""Encodings, byte-order marks, line ends, NUL bytes."""

from __future__ import annotations

import codecs
import gzip
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.readers.block import Malformed
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]

TEXT = "n,größe\n" + "".join(f"{i},é日本{i}\n" for i in range(20))
ROWS = [(str(i), f"é日本{i}", i + 1) for i in range(20)]


@pytest.mark.parametrize("block_bytes", [60, 1 << 20])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_tells_the_encoding(
    read: Read, tmp_path: Path, mark: bytes, encoding: str, block_bytes: int
) -> None:
    data = mark + TEXT.replace("\n", "\r\n").encode(encoding)
    assert read(tmp_path, "a.csv", data, ["n", "größe"], block_bytes) == (ROWS, [])
    assert read(tmp_path, "a.csv", data, ["n", "größe"], block_bytes, encoding=encoding) == (ROWS, [])
    lines = mark + '{"n": "é"}\n'.encode(encoding) * 3
    assert [row[0] for row in read(tmp_path, "a.jsonl.gz", gzip.compress(lines), ["n"])[0]] == ["é"] * 3


@pytest.mark.parametrize("encoding", ["utf-16-le", "gbk", "shift_jis", "UTF-8", "utf-8-sig"])
@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_the_settings_tell_the_encoding(read: Read, tmp_path: Path, encoding: str, block_bytes: int) -> None:
    data = TEXT.replace("é", "").replace("größe", "x").encode(encoding)
    rows = [(n, text.replace("é", ""), row) for n, text, row in ROWS]
    assert read(tmp_path, "a.csv", data, ["n", "x"], block_bytes, encoding=encoding) == (rows, [])


def test_what_cannot_be_decoded_is_malformed_and_no_more(read: Read, tmp_path: Path) -> None:
    data = "n,x\n1,".encode("utf-16") + b"\x00\xd8" + "\n2,é\n".encode("utf-16-le") + b"3"
    rows, bad = read(tmp_path, "a.csv", data, ["n", "x"])
    assert rows == [("2", "é", 2)]
    assert [(line.row, line.why) for line in bad] == [(1, "not UTF-8"), (3, "1 cells instead of 2")]
    rows, bad = read(tmp_path, "a.csv", b"n,x\n1,\x81\n2,\xe9\n", ["n", "x"], encoding="cp1252")
    assert (rows, [line.row for line in bad]) == ([("2", "é", 2)], [1])


@pytest.mark.parametrize("encoding", ["utf-99", "base64"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ValidationError, match=f"Python knows no encoding of texts called '{encoding}'"):
        Files(files="*", encoding=encoding)


def test_utf16_without_a_mark_is_suspected(read: Read, tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"a\.csv: the header cannot be read: .*; is it UTF-16\? Then say so with 'enc"):
        read(tmp_path, "a.csv", "n,x\n1,2\n".encode("utf-16-le"), ["n"])


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_a_row_with_a_nul_byte_is_malformed(read: Read, tmp_path: Path, block_bytes: int) -> None:
    rows, bad = read(tmp_path, "a.csv", b"n,x\n1,2\n3,\x004\n5,6\n", ["n", "x"], block_bytes)
    assert rows == [("1", "2", 1), ("5", "6", 3)]
    assert bad == [Malformed(2, "3,\x004", "holds a NUL byte")]


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_carriage_returns_alone_end_lines_too(read: Read, tmp_path: Path, block_bytes: int) -> None:
    assert read(tmp_path, "a.csv", b"n,x\r1,2\r3,4", ["n", "x"], block_bytes) == ([("1", "2", 1), ("3", "4", 2)], [])
    assert read(tmp_path, "a.jsonl", b'{"n": 1}\r{"n": 2}\r', ["n"], block_bytes) == ([("1", 1), ("2", 2)], [])


def test_a_large_cell_is_sound_beside_a_bad_one(read: Read, tmp_path: Path) -> None:
    large = "x" * 200_000
    rows, bad = read(tmp_path, "a.csv", f"n,x\n1,{large}\n".encode() + b"2,\xff\n3,4\n", ["n", "x"])
    assert rows == [("1", large, 1), ("3", "4", 3)]
    assert [line.why for line in bad] == ["not UTF-8"]


def test_a_header_of_another_encoding_is_suspected_and_costs_no_row(read: Read, tmp_path: Path) -> None:
    data = "größe,x\n1,2\n".encode("cp1252")
    assert read(tmp_path, "a.csv", data, ["x"]) == ([("2", 1)], [])
    with pytest.raises(LogsError, match=r"column 'größe' is missing; .*; it is not UTF-8: say with 'encoding' what"):
        read(tmp_path, "a.csv", data, ["größe"])
    assert read(tmp_path, "a.csv", data, ["größe"], encoding="cp1252") == ([("1", 1)], [])
