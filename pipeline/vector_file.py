"""A feature's embeddings as a file that other tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tandem import files

if TYPE_CHECKING:
    from pathlib import Path


def write(model: str, feature: str, file: Path) -> str:
    """Writes a row per value: `value`, `row` (what it stands for), and the vector.

    Args:
      model: The folder of a pushed model.
      feature: The feature's name.
      file: `*.parquet`, with the vector as a list, or `*.csv`, with a column for each of its numbers.

    Returns:
      What was written, for people.

    Raises:
      ValueError: Another ending; no model; no such feature.
    """
    if file.suffix not in (".parquet", ".csv"):
        raise ValueError(f"the file's name must end in .parquet or .csv, got '{file}'")
    from tandem.models.vectors import feature_vectors

    found = feature_vectors(model, feature)
    frame = pl.DataFrame({"value": found.values, "row": found.rows}, schema={"value": pl.String, "row": pl.String})
    with files.appearing(file) as partial:
        if file.suffix == ".parquet":
            vectors = pl.Series(found.vectors.tolist(), dtype=pl.List(pl.Float32))
            frame.with_columns(vector=vectors).write_parquet(partial)
        else:
            columns = [pl.Series(f"v{index}", column) for index, column in enumerate(found.vectors.T)]
            frame.with_columns(columns).write_csv(partial)
    return f"{file}: {len(frame):,} vectors of length {found.vectors.shape[1]}"
