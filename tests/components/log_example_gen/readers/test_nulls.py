"""What stands where there is no value is empty, in every format and on every way through a reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tandem.components.log_example_gen.readers.block import Malformed

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]

WORDS = ["\\N", "NULL", "null", "NA", "NaN", "nan", "None"]
TEXTS = [*WORDS, "", "u1", "-1", "nano", "NAN", " NA"]
KEPT = ["u1", "-1", "nano", "NAN", " NA"]


def lay(folder: Path, kind: str, odd: bool) -> str:
    """Writes a file with `TEXTS` in its column x, and (odd) a line at the end that makes a reader look closely."""
    name = f"a.{kind}"
    if kind == "parquet":
        parquet.write_table(pa.table({"x": TEXTS, "y": TEXTS}), folder / name)
    elif kind == "csv":
        lines = ["x,y", *(f'{text},"{text}"' for text in TEXTS), *(["odd,3,4"] if odd else []), *(['"'] if odd else [])]
        (folder / name).write_text("\n".join(lines) + "\n")
    else:
        lines = [*(json.dumps({"x": text, "y": text}) for text in TEXTS), *(["{"] if odd else [])]
        (folder / name).write_text("\n".join(lines) + "\n")
    return name


@pytest.mark.parametrize(
    ("kind", "odd"), [("csv", False), ("csv", True), ("jsonl", False), ("jsonl", True), ("parquet", False)]
)
def test_words_for_nothing_are_empty(read: Read, tmp_path: Path, kind: str, odd: bool) -> None:
    name = lay(tmp_path, kind, odd)
    rows, _ = read(tmp_path, name, None, ["x", "y"])
    assert [row[0] for row in rows] == [row[1] for row in rows] == [""] * 8 + KEPT
    rows, _ = read(tmp_path, name, None, ["x", "y"], null_values=[])
    assert [row[0] for row in rows] == [row[1] for row in rows] == TEXTS
    rows, _ = read(tmp_path, name, None, ["x", "z"], rename={"y": "z"}, null_values={"z": ["-1", "u1"]})
    assert [row[0] for row in rows] == [""] * 8 + KEPT
    assert [row[1] for row in rows] == [*WORDS, "", "", "", "nano", "NAN", " NA"]


def test_numbers_that_are_none(read: Read, tmp_path: Path) -> None:
    table = {
        "n": pa.array([1, -1, None], pa.int32()),
        "x": [0.5, float("nan"), None],
        "tags": [["a", "NA"], ["NA"], []],
    }
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    rows, _ = read(tmp_path, "a.parquet", None, ["n", "x", "tags"])
    assert rows == [("1", "0.5", ["a", ""], 1), ("-1", "", [""], 2), ("", "", [], 3)]
    rows, _ = read(tmp_path, "a.parquet", None, ["n", "x", "tags"], null_values=["-1"])
    assert rows == [("1", "0.5", ["a", "NA"], 1), ("", "NaN", ["NA"], 2), ("", "", [], 3)]
    rows, _ = read(tmp_path, "a.parquet", None, ["n", "x"], null_values=["0.5", "1"])
    assert rows == [("", "", 1), ("-1", "NaN", 2), ("", "", 3)]
    # The same in JSON, where NaN is no JSON and is read all the same.
    data = b'{"n": 1, "tags": ["a", "NA"]}\n{"n": -1, "tags": ["NA"]}\n'
    assert read(tmp_path, "a.jsonl", data, ["n", "tags"])[0] == [("1", ["a", ""], 1), ("-1", [""], 2)]
    assert read(tmp_path, "a.jsonl", data + b'{"n": NaN, "tags": []}\n', ["n", "tags"], null_values=["-1", "nan"])[
        0
    ] == [("1", ["a", "NA"], 1), ("", ["NA"], 2), ("", [], 3)]


def test_a_header_of_such_a_name_is_a_name(read: Read, tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", b"NA,x\n1,NA\n", ["NA", "x"])[0] == [("1", "", 1)]
