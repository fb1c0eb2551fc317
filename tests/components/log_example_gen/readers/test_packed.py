"""Compressed files, by their ending or by what is in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from typing import TYPE_CHECKING

import fsspec
import pyarrow as pa
import pytest

from tandem.components.log_example_gen.readers.packed import PACKED, bare
from tandem.components.log_example_gen.readers.registry import by_ending, read_file
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError, filesystem, find_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tandem.components.log_example_gen.readers.block import Malformed

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def zstandard(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard,
    ".zip": lambda data: zipped(**{"folder/": b"", "folder/a.csv": data, "__MACOSX/folder/._a.csv": b"\0\5"}),
}
LINES = b"".join(b"%d,u%d\n" % (i, i * i) for i in range(5000))
ROWS = [(str(i), f"u{i * i}", i + 1) for i in range(5000)]


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("block_bytes", [30_000, 1 << 20])
def test_every_kind_is_unpacked(read: Read, tmp_path: Path, ending: str, block_bytes: int) -> None:
    data = PACK[ending](b"n,user\n" + LINES)
    assert read(tmp_path, f"a.csv{ending}", data, ["n", "user"], block_bytes) == (ROWS, [])
    assert read(tmp_path, f"a.log{ending}", data, ["n", "user"], block_bytes, format="csv") == (ROWS, [])
    assert read(tmp_path, "wrongly-called.csv", data, ["n", "user"], block_bytes) == (ROWS, [])
    lines = b"".join(b'{"n": %d}\n' % i for i in range(100))
    assert read(tmp_path, f"a.jsonl{ending}", PACK[ending](lines), ["n"])[0] == [(str(i), i + 1) for i in range(100)]
    assert bare(f"a.tsv{ending}") == "a.tsv"
    assert by_ending(f"a.tsv{ending}") is not None
    assert by_ending(f"a.parquet{ending}") is None


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_what_was_packed_in_pieces_is_read_to_the_end(read: Read, tmp_path: Path, ending: str) -> None:
    half = LINES.index(b"2500,")
    data = PACK[ending](b"n,user\n" + LINES[:half]) + PACK[ending](LINES[half:])
    assert read(tmp_path, f"a.csv{ending}", data, ["n", "user"]) == (ROWS, [])


@pytest.mark.parametrize("ending", PACKED)
def test_a_damaged_file_is_named(read: Read, tmp_path: Path, ending: str) -> None:
    data = PACK[ending](b"n,user\n" + LINES)
    for broken in (data[: len(data) // 2], b"no such thing"):
        with pytest.raises(LogsError, match=rf"a\.csv\{ending} cannot be read: "):
            read(tmp_path, f"a.csv{ending}", broken, ["n"])


def test_an_archive_holds_one_file(read: Read, tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"a\.csv\.zip must hold one file, it holds 2: 'a\.csv', 'b\.csv'; unpack it"):
        read(tmp_path, "a.csv.zip", zipped(**{"a.csv": b"n\n1\n", "b.csv": b"n\n2\n"}), ["n"])
    with pytest.raises(LogsError, match=r"must hold one file, it holds 0: none"):
        read(tmp_path, "a.csv.zip", zipped(**{"__MACOSX/a.csv": b"n\n1\n", "day/": b""}), ["n"])


@pytest.mark.parametrize("ending", PACKED)
def test_files_of_a_store_are_unpacked(ending: str) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file(f"/bucket/a.csv{ending}", PACK[ending](b"n,user\n1,u1\n"))
    try:
        spec = Files(files="a.csv*")
        (file,) = find_files(spec, "memory://bucket", "log")
        (block,) = read_file(filesystem("memory://bucket")[0], file, spec, ["n"])
        assert block.rows["n"].to_list() == ["1"]
    finally:
        system.rm("/bucket", recursive=True)
