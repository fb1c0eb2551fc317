"""Columns that folders tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tandem.components.log_example_gen.readers.block import ROW
from tandem.components.log_example_gen.readers.registry import read_columns, read_file
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import filesystem, find_files

if TYPE_CHECKING:
    from pathlib import Path


def read_all(folder: Path, columns: list[str], **more: Any) -> list[tuple]:
    """Reads all files below a folder; gives rows with their number last."""
    spec, (system, _) = Files(files="**/a.*", **more), filesystem(str(folder))
    blocks = [
        block for file in find_files(spec, str(folder), "log") for block in read_file(system, file, spec, columns)
    ]
    return [row for block in blocks for row in block.rows.select(*columns, ROW).iter_rows()]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_folders_give_columns_that_the_file_lacks(tmp_path: Path, kind: str) -> None:
    for part in ("day=7/site=a%20b", "day=8/site=__HIVE_DEFAULT_PARTITION__"):
        file = tmp_path / part / f"a.{kind}"
        file.parent.mkdir(parents=True)
        if kind == "parquet":
            parquet.write_table(pa.table({"n": [1, 2], "day": [70, 80]} if "7" in part else {"n": [3]}), file)
        elif kind == "csv":
            file.write_text("n,day\n1,70\n2,80\n" if "7" in part else "n\n3\n")
        else:
            file.write_text('{"n": 1, "day": 70}\n{"n": 2, "day": 80}\n' if "7" in part else '{"n": 3}\n')
    assert read_all(tmp_path, ["day", "n", "site"]) == [("70", "1", "a b", 1), ("80", "2", "a b", 2), ("8", "3", "", 1)]
    assert read_all(tmp_path, ["site"]) == [("a b", 1), ("a b", 2), ("", 1)]
    renamed = {"day": "date"}
    assert read_all(tmp_path, ["date"], rename=renamed, null_values=["8"]) == [("70", 1), ("80", 2), ("", 1)]
    spec = Files(files="*/*/a.*", rename=renamed)
    names = [read_columns(filesystem(str(tmp_path))[0], file, spec) for file in find_files(spec, str(tmp_path), "log")]
    assert names == [("n", "date", "site"), ("n", "date", "site")]
