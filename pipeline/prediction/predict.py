"""Scores files with the pushed model: rows in, the same rows out, with a probability per output beside them.

A block of rows at a time, so that memory does not grow with the files.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console

from tandem.components.log_example_gen.records import REASON, ROW
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.pusher.versions import model_folder
from tandem.pipeline.configuration import built_in, config
from tandem.pipeline.local import progress
from tandem.pipeline.prediction import inputs, outputs, scorer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tandem.components.log_example_gen.readers.block import Malformed
    from tandem.components.log_example_gen.settings.logs import LogSettings

PREFIX = "p_"
"""What stands before an output's name in the name of its column: the label it predicts has the name itself."""

MAX_BAD_SHARE = 0.05
"""What `logs.max_bad_share` is without a configuration."""

_SHOWN = 3


@dataclass
class Prediction:
    """What came of it.

    Attributes:
      model: The folder of the version that was asked.
      rows: How many rows were written.
      malformed: How many lines could not be read; they are not among the rows.
      places: The first of them, for people.
      unscored: Reason -> how many rows were written without probabilities.
      unmatched: Side table -> how many rows had a key that it lacks.
      unreadable: Column -> how many of its values were no numbers.
      seconds: How long it took, loading aside.
    """

    model: str
    rows: int = 0
    malformed: int = 0
    places: list[str] = field(default_factory=list)
    unscored: Counter[str] = field(default_factory=Counter)
    unmatched: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """Yields what there is to tell."""
        speed = f" ({self.rows / self.seconds:,.0f} rows/s)" if self.seconds and self.rows else ""
        yield f"{self.rows:,} rows by {self.model} in {progress.duration(self.seconds)}{speed}"
        if self.malformed:
            more = ", ..." if self.malformed > len(self.places) else ""
            yield f"{self.malformed:,} lines could not be read and are left out: {', '.join(self.places)}{more}"
        for reason, count in sorted(self.unscored.items()):
            yield f"{count:,} rows have no probabilities: {reason}"
        for name, count in sorted((+self.unmatched).items()):
            yield f"{count:,} rows have a key that the side table '{name}' lacks; its columns are empty there"
        for name, count in sorted((+self.unreadable).items()):
            yield f"{count:,} values of column '{name}' are no numbers and count as empty"


def write(
    what: str,
    files: Sequence[str],
    output: str = outputs.STANDARD_OUTPUT,
    file_format: str | None = None,
    keep: Sequence[str] | None = None,
    data: str | None = None,
    overrides: Sequence[str] = (),
    console: Console | None = None,
) -> Prediction:
    """Scores files.

    Args:
      what: A configuration (a file, or the name of one that comes with Tandem), whose newest pushed model is asked and
        whose logs say how files are read, what is derived and joined; or the folder of a model, or of its versions.
      files: CSV, JSON lines or Parquet, also compressed: paths or URIs.
      output: A path or URI; `-`: standard output.
      file_format: `csv`, `jsonl` or `parquet`; None: by the ending of the output.
      keep: The columns of the files that are written besides; None: all.
      data: Where the files of side tables are, as for a run.
      overrides: Changes of the configuration, as for a run.
      console: Where progress is told; None: standard error.

    Raises:
      ConfigError: The configuration is not sound.
      ValueError: There is no model, no such file, a column is missing, or more lines are bad than the settings allow.
    """
    if not files:
        raise ValueError("name at least one file to score")
    wanted = outputs.format_of(output, file_format)
    logs, labels, data_dir, folder = _resolved(what, data, overrides)
    found = inputs.find(files, logs, labels)
    model = scorer.Scorer(scorer.find(folder))
    examples = inputs.Examples(model.inputs, found, logs, data_dir)
    kept = _kept(keep, found, model.outputs)
    told = Prediction(model.path)
    began = time.monotonic()
    with (
        progress.advancing("rows", console or Console(stderr=True)) as report,
        outputs.opened(output, wanted) as writer,
    ):
        writer.write(pl.DataFrame(schema=_schema(kept, model.outputs)))
        for file in found:
            for block in file.blocks(tuple(dict.fromkeys((*examples.columns, *kept)))):
                writer.write(_scored(block.rows, kept, model, examples, told))
                _count(block.malformed, file, told)
                report(told.rows)
        _check(told, MAX_BAD_SHARE if logs is None else logs.max_bad_share)
    told.unmatched, told.unreadable = examples.unmatched, examples.unreadable
    told.seconds = time.monotonic() - began
    return told


def _resolved(
    what: str, data: str | None, overrides: Sequence[str]
) -> tuple[LogSettings | None, tuple[str, ...], str, str]:
    """Returns the logs, the labels, the folder of the logs and that of the model (a version's, or of all versions)."""
    if Path(what).is_dir() and built_in.find(what) is None:
        if data or overrides:
            raise ValueError("--data and --set go with a configuration: tandem predict CONFIG FILE")
        return None, (), ".", what
    loaded = config.load(what, data, overrides, look_into_logs=False)  # the model knows its features
    labels = tuple(label.name for label in loaded.labels())
    return loaded.logs, labels, loaded.data_folder, model_folder(str(loaded.push_dir), loaded.model_name)


def _kept(keep: Sequence[str] | None, files: Sequence[inputs.InputFile], names: Sequence[str]) -> tuple[str, ...]:
    """Returns the columns to write besides the scores.

    Raises:
      LogsError: A file lacks one, or has one with the name of a score.
    """
    kept = tuple(dict.fromkeys(files[0].columns if keep is None else keep))
    for file in files:
        missing = [name for name in kept if name not in file.columns]
        if missing:
            raise LogsError(
                f"{file.source.name}: column {missing} is to be kept and is missing; it has {list(file.columns)}"
            )
    taken = [name for name in kept if name in {f"{PREFIX}{name}" for name in names}]
    if taken:
        raise LogsError(
            f"columns {taken} are to be kept, and are what the scores are called: leave them out with --keep"
        )
    return kept


def _schema(kept: Sequence[str], names: Sequence[str]) -> dict[str, pl.DataType | type[pl.DataType]]:
    return {**dict.fromkeys(kept, pl.String), **{f"{PREFIX}{name}": pl.Float32 for name in names}}


def _scored(
    rows: pl.DataFrame, kept: Sequence[str], model: scorer.Scorer, examples: inputs.Examples, told: Prediction
) -> pl.DataFrame:
    """Returns the kept columns and the scores of rows, in their order."""
    unusable, serialized = examples.of(rows)
    scores = pl.concat([model(()), *(model(some) for some in serialized)])
    scores = scores.rename({name: f"{PREFIX}{name}" for name in model.outputs})
    if len(unusable):
        told.unscored.update(dict(unusable.get_column(REASON).value_counts().iter_rows()))
        usable = rows.select(ROW).filter(~pl.col(ROW).is_in(unusable.get_column(ROW).implode()))
        scores = (
            rows.select(ROW)
            .join(scores.with_columns(usable.to_series()), on=ROW, how="left", maintain_order="left")
            .drop(ROW)
        )
    told.rows += len(rows)
    return pl.concat([rows.select(kept), scores], how="horizontal") if kept else scores


def _count(malformed: Sequence[Malformed], file: inputs.InputFile, told: Prediction) -> None:
    told.malformed += len(malformed)
    for line in malformed[: _SHOWN - len(told.places)]:
        told.places.append(f"{file.source.name} row {line.row} ({line.why})")


def _check(told: Prediction, allowed: float) -> None:
    """Raises where too many lines are bad: then it is not a few lines that are wrong, but how they are read."""
    bad = told.malformed + told.unscored.total()
    lines = told.rows + told.malformed
    if bad > allowed * lines:
        why = [*([f"{told.malformed:,} could not be read: {', '.join(told.places)}"] if told.malformed else [])]
        why += [f"{count:,} {reason}" for reason, count in sorted(told.unscored.items())]
        raise LogsError(
            f"{bad:,} of {lines:,} rows are bad ({'; '.join(why)}); allowed is a share of {allowed:g} "
            "(logs.max_bad_share). Nothing was written but what standard output has already"
        )
