"""Parquet."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet

from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tandem.components.log_example_gen.readers.block import Malformed

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


def test_parquet_columns_become_text_and_lists_stay(read: Read, tmp_path: Path) -> None:
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
        ("3", "", ["b", ""], "u", "", 3),  # An empty value keeps its place.
    ]
    assert bad == []


def test_parquet_of_nested_columns_or_none_at_all_is_an_error(read: Read, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": [{"x": 1}]}), tmp_path / "a.parquet")
    with pytest.raises(LogsError, match=r"column 'id' is of the type struct"):
        read(tmp_path, "a.parquet", None, ["id"])
    with pytest.raises(LogsError, match=r"b\.parquet cannot be read"):
        read(tmp_path, "b.parquet", b"nothing of the kind", ["id"])


def test_parquet_whole_decimals_are_ids_as_whole_numbers_are(read: Read, tmp_path: Path) -> None:
    values = [Decimal("7.00"), Decimal("10.50"), None, Decimal("100.00"), Decimal("-0.05")]
    parquet.write_table(pa.table({"id": pa.array(values, pa.decimal128(9, 2))}), tmp_path / "a.parquet")
    rows, _ = read(tmp_path, "a.parquet", None, ["id"])
    assert [row[0] for row in rows] == ["7", "10.50", "", "100", "-0.05"]
