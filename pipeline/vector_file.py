"""A feature's embeddings as a file that other tools read."""

from __future__ import annotations

from pathlib import Path

import polars as pl


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
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        frame.with_columns(vector=pl.Series(found.vectors.tolist(), dtype=pl.List(pl.Float32))).write_parquet(file)
    else:
        columns = [pl.Series(f"v{index}", column) for index, column in enumerate(found.vectors.T)]
        frame.with_columns(columns).write_csv(file)
    return f"{file}: {len(frame):,} vectors of length {found.vectors.shape[1]}"
