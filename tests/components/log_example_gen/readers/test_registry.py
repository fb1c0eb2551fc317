"""What holds for all formats, and for one more."""

from __future__ import annotations

import gzip
import lzma
import subprocess
import sys
import typing
import zipfile
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.readers.block import ROW, Block, Malformed, Reader, in_file
from tandem.components.log_example_gen.readers.registry import READERS, read_columns, reader_of
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError, SourceFile, filesystem, find_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from fsspec import AbstractFileSystem

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_missing_column_is_named_with_those_there_are(read: Read, tmp_path: Path, name: str) -> None:
    if name == "a.csv":
        (tmp_path / name).write_bytes(b"id,x\n1,2\n")
    else:
        parquet.write_table(pa.table({"id": [1], "x": [2]}), tmp_path / name)
    with pytest.raises(LogsError, match=r"column 'time' is missing; the columns are 'key', 'x'"):
        read(tmp_path, name, None, ["key", "time"], rename={"id": "key"})


def test_column_names_that_come_twice_are_an_error(read: Read, tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"come twice \(once renamed\): \['y'\]"):
        read(tmp_path, "a.csv", b"x,y\n1,2\n", ["y"], rename={"x": "y"})


@pytest.mark.parametrize(
    ("name", "data"), [("a.csv", b"\xef\xbb\xbfid,x\n1,2\n"), ("a.jsonl", b'{"id": 1}\n{\n{"x": 2, "id": 3}\n')]
)
def test_columns_are_told_without_reading_all(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    spec = Files(files=name, rename={"x": "y"})
    (file,) = find_files(spec, str(tmp_path), "log")
    assert read_columns(filesystem(str(tmp_path))[0], file, spec) == ("id", "y")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.zip", "a.csv.xz", "a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_a_folder_may_have_brackets_in_its_name(read: Read, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "day [1] *?"
    folder.mkdir()
    data = b"id\n7\n" if "csv" in name else b'{"id": 7}\n'
    if name == "a.parquet":
        parquet.write_table(pa.table({"id": [7]}), folder / name)
    elif name.endswith("zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("a.csv", data)
    else:
        pack = {"xz": lzma.compress, "gz": gzip.compress}.get(name.rpartition(".")[2], bytes)
        (folder / name).write_bytes(pack(data))
    assert read(folder, name, None, ["id"]) == ([("7", 1)], [])


# A format of one row per file and one cell per line, `name: value`; what has no colon is malformed.


def toy_names(system: AbstractFileSystem, file: SourceFile, spec: Files) -> Sequence[str]:
    lines = system.cat_file(file.path).decode().splitlines()
    return [line.partition(":")[0] for line in lines if ":" in line]


def toy_blocks(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int
) -> Iterator[Block]:
    lines = system.cat_file(file.path).decode().splitlines()
    cells = dict(line.split(":") for line in lines if ":" in line)
    wanted = in_file(columns, list(cells), file, spec)
    row = pl.DataFrame({new: [cells[old].strip()] for old, new in wanted.items()} | {ROW: [1]})
    yield Block(row, tuple(Malformed(2, line, "no colon") for line in lines if ":" not in line))


TOY = Reader(name="toy", endings=(".toy", ".card"), names=toy_names, read=toy_blocks, compressible=False)


def test_one_more_format_is_a_reader_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_step: Any) -> None:
    monkeypatch.setitem(READERS, "toy", TOY)
    (tmp_path / "a.toy").write_text("user: u1\nclicked: 1\nwhat is this\n")
    (tmp_path / "b.card").write_text("user: u2\nclicked: 0\n")
    (tmp_path / "c.toy").write_text("user: u3\nclicked: 0\n")
    logs = LogSettings.model_validate(
        {
            "table": {"files": ["*.toy", "b.card"], "rename": {"clicked": "click"}},
            "split": {"train": {"files": "*.toy"}, "eval": {"files": "*.card"}},
            "max_bad_share": 0.5,
        }
    )
    outputs = run_step(LogExampleGen(logs, {"user": ExampleColumn()}, [Label(name="click")], str(tmp_path)))
    assert outputs.rows("train") == [{"user": [b"u1"], "click": [1]}, {"user": [b"u3"], "click": [0]}]
    assert outputs.rows("eval") == [{"user": [b"u2"], "click": [0]}]
    assert outputs.set_aside() == {
        "table/malformed": [
            {"file": "a.toy", "row": 2, "reason": "malformed", "text": "what is this", "why": "no colon"}
        ]
    }


def test_an_unknown_ending_is_answered_with_the_endings_of_all_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogsError) as error:
        reader_of("day/x.parquet.gz", Files(files="*"))
    assert str(error.value) == (
        "day/x.parquet.gz: unknown ending; allowed are .csv, .tsv, .jsonl, .ndjson, .parquet, each also with .gz, "
        ".bz2, .xz, .zst, .zip but for .parquet (or say what it is with 'format')"
    )
    monkeypatch.setitem(READERS, "toy", TOY)
    with pytest.raises(
        LogsError, match=r"\.parquet, \.toy, \.card, each also with .* but for \.parquet, \.toy, \.card "
    ):
        reader_of("x.txt", Files(files="*"))
    assert reader_of("x.card", Files(files="*")) is TOY


def test_what_is_named_comes_before_the_ending() -> None:
    assert reader_of("x.csv", Files(files="*", format="jsonl")) is READERS["jsonl"]


def test_formats_have_names_and_endings_of_their_own_and_the_settings_know_them() -> None:
    assert {name: reader.name for name, reader in READERS.items()} == {name: name for name in READERS}
    endings = [ending for reader in READERS.values() for ending in reader.endings]
    assert len(set(endings)) == len(endings)
    named = {
        value for part in typing.get_args(Files.model_fields["format"].annotation) for value in typing.get_args(part)
    }
    assert named == set(READERS)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("settings.logs", ("polars", "pyarrow", "fsspec")),
        ("joining.join", ("pyarrow.csv", "tandem.components.log_example_gen.readers")),
    ],
)
def test_what_needs_no_reader_imports_none(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, tandem.components.log_example_gen.{module}; print(*(set({absent}) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""
