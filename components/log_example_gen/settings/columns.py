"""What stands in the examples: columns of the logs, labels, and what ingestion adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings.logs import LogSettings


class ExampleColumn(Settings):
    """A column that goes into the examples."""

    kind: Literal["bytes", "float", "int"] = "bytes"
    """`bytes` (categories), `float` (numbers; an unparsable cell is empty) or `int`."""

    separator: str | None = None
    """Between the values of a cell that holds several; None: one value, or a list already (JSON, Parquet)."""

    single: bool = False
    """Whether a row has one value at most: then a list of several is an error."""

    weight: bool = False
    """A row weight: in every row one finite number, 0 or more. Its `kind` is `float`, also where none is given."""

    keeps_places: bool = False
    """Whether a value of a list that is empty (or no number) keeps its place, as "" or NaN: another column's values
    stand beside these.
    """

    weight_separator: str | None = None
    """Between a value and its weight, where they are one text; what follows it and is no number is counted. None: texts
    are values alone.
    """

    @model_validator(mode="before")
    @classmethod
    def _weights_are_numbers(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("weight") and "kind" not in data:
            return {**data, "kind": "float"}
        return data

    @model_validator(mode="after")
    def _one_number(self) -> ExampleColumn:
        if self.weight and (self.kind != "float" or self.separator is not None):
            separated = "" if self.separator is None else f" separated by {self.separator!r}"
            raise ValueError(f"a row weight is one number in each row: kind 'float', not '{self.kind}'{separated}")
        return self


class Label(Settings):
    """A label of the examples: 1 only where the parent's is 1 (a like without a click is an orphan)."""

    name: str
    """Its column in the examples."""

    parent: str | None = None
    """The label that must be 1 for it to be 1; None: it stands alone."""


IMPRESSION_TIME = "impression_time_us"
"""The column of the examples with the time of the impression, in microseconds since 1970 (UTC)."""


OBSERVED_UNTIL = "observed_until_us"
"""The column of the examples with the end of the logs, the same in all rows, in microseconds since 1970 (UTC)."""


def final_column(label: str) -> str:
    """Names the column of the examples that is 1 where a label cannot change any more."""
    return f"{label}_is_final"


def time_column(label: str) -> str:
    """Names the column of the examples with the time of the event that set a label; without a value where it is 0."""
    return f"{label}_time_us"


def own_columns(logs: LogSettings, labels: Sequence[str], observed_until: bool = False) -> tuple[str, ...]:
    """Returns the columns that ingestion itself adds to the examples: labels, whether they are final, times.

    Args:
      logs: The streams, or the labelled table.
      labels: All labels.
      observed_until: Whether the examples say when the logs end (see `LogExampleGen`).
    """
    joined = logs.table is None
    return (
        *labels,
        *(final_column(label) for label in logs.label_delays(labels)),
        *(time_column(label) for label in labels if joined),
        *([IMPRESSION_TIME] if joined or (logs.table is not None and logs.table.time is not None) else []),
        *([OBSERVED_UNTIL] if observed_until else []),
    )
