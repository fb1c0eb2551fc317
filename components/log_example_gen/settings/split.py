"""What a user says about the split: which rows train, which choose the stopping point, which judge."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tandem.components.log_example_gen.settings.conditions import Scalar, Scalars
from tandem.components.log_example_gen.settings.written import Names, UtcTime
from tandem.settings import Settings

PartKind = Literal["time", "files", "share", "values", "rows"]

_ROUNDING = 1e-9  # Shares such as 0.8, 0.1 and 0.1 are 1 together, though not as doubles.


def _one_or_several(value: Any) -> Any:
    """Reads one value as a list of one."""
    return (value,) if isinstance(value, bool | int | float | str) else value


class Period(Settings, populate_by_name=True):
    """The rows of one split: impressions in [start, end), or others that one of the further keys names."""

    start: UtcTime | None = Field(default=None, alias="from")
    """The first moment inside. A date means its midnight; what names no zone is in UTC."""

    end: UtcTime | None = Field(default=None, alias="before")
    """The first moment after it."""

    files: Names | None = None
    """Globs among the names of a labelled table's files, instead of times: all rows of these files belong to it."""

    share: float | None = Field(default=None, gt=0, le=1)
    """Such a share of the rows, or (with `key`) of the key's values, drawn by a hash."""

    values: Annotated[
        Scalars | None, BeforeValidator(_one_or_several, json_schema_input_type=Scalar | Scalars | None)
    ] = Field(default=None, min_length=1)
    """The rows in which `column` has one of these values; a number is compared as a number."""

    rows: Literal["earlier", "second_last", "last"] | None = None
    """With `leave_last_out`: the `last` row of each user, the `second_last`, or the `earlier` ones."""

    @property
    def kind(self) -> PartKind:
        """By what its rows are chosen."""
        if self.files is not None:
            return "files"
        if self.share is not None:
            return "share"
        if self.values is not None:
            return "values"
        return "time" if self.rows is None else "rows"

    @model_validator(mode="after")
    def _one_kind(self) -> Period:
        timed = self.start is not None or self.end is not None
        given = [
            *(["'from' and 'before'"] if timed else []),
            *(f"'{name}'" for name in ("files", "share", "values", "rows") if getattr(self, name) is not None),
        ]
        if not given:
            raise ValueError(
                "give 'from', 'before' or both (times), 'files' (of a labelled table), 'share' (of all rows, or of a "
                "'key'), or 'values' (of a 'column')"
            )
        if len(given) > 1:
            raise ValueError(f"{given[1]} does not go with {given[0]}")
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"'from' ({self.start}) must lie before 'before' ({self.end})")
        return self


def _required(schema: dict[str, Any]) -> None:
    """Says in the JSON schema that parts need not be given where `leave_last_out` says which there are."""
    required = schema.pop("required")
    schema["anyOf"] = [{"required": required}, {"required": ["leave_last_out"]}]


class Split(Settings, json_schema_extra=_required):
    """Which impressions are trained on, which choose the stopping point (optional), which judge the model."""

    train: Period
    """What the model is trained on, and what vocabularies are counted on."""

    validation: Period | None = None
    """What chooses the epoch to stop at, between the other two. `training.early_stopping` needs it."""

    eval: Period
    """What the model is judged on."""

    key: str | None = None
    """With `share`: a column of the impressions or the table whose equal values (a user's rows) all belong to one part.
    Rows in which it is empty are drawn one by one. None: all rows are.
    """

    column: str | None = None
    """With `values`: the column of the impressions or the table that says which part a row belongs to."""

    leave_last_out: str | None = None
    """A column of the impressions or the table, the user: the last row of each user judges, the earlier ones train.
    Then `train` and `eval` need not be given; `validation: {rows: second_last}` takes the row before the last.
    """

    @model_validator(mode="before")
    @classmethod
    def _last_and_earlier(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("leave_last_out") is not None:
            return {"train": {"rows": "earlier"}, "eval": {"rows": "last"}, **data}
        return data

    def periods(self) -> dict[str, Period]:
        """Returns the parts by split name, in the order of time."""
        named = {"train": self.train, "validation": self.validation, "eval": self.eval}
        return {name: period for name, period in named.items() if period is not None}

    @property
    def kind(self) -> PartKind:
        """By what all parts are chosen."""
        return self.train.kind

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the impressions or the table that say to which part a row belongs."""
        return tuple(name for name in (self.key, self.column, self.leave_last_out) if name is not None)

    @model_validator(mode="after")
    def _alike(self) -> Split:
        kinds = {period.kind for period in self.periods().values()}
        if len(kinds) > 1:
            raise ValueError(
                "split all parts by time, or all parts by file, by share or by the values of a column; "
                f"here are {' and '.join(sorted(kinds))}"
            )
        needs: dict[str, PartKind] = {"key": "share", "column": "values", "leave_last_out": "rows"}
        for name, kind in needs.items():
            if getattr(self, name) is not None and kind not in kinds:
                raise ValueError(f"'{name}' goes with parts by '{kind}', not by {' and '.join(sorted(kinds))}")
        for name in ("column", "leave_last_out"):
            if needs[name] in kinds and getattr(self, name) is None:
                raise ValueError(f"parts by '{needs[name]}' need '{name}'")
        return self

    @model_validator(mode="after")
    def _apart(self) -> Split:
        periods = self.periods()
        if self.kind == "time":
            _in_order(periods)
        elif self.kind == "share":
            total = sum(period.share or 0 for period in periods.values())
            if total > 1 + _ROUNDING:
                raise ValueError(f"the shares are {total:g} together, more than 1")
        elif self.kind == "values":
            _not_twice([(name, value) for name, period in periods.items() for value in period.values or ()])
        elif self.kind == "rows":
            rows = [period.rows for period in periods.values()]
            if rows not in (["earlier", "last"], ["earlier", "second_last", "last"]):
                raise ValueError(
                    "with 'leave_last_out', train has the 'earlier' rows, validation the 'second_last', "
                    f"eval the 'last'; here are {', '.join(map(str, rows))}"
                )
        return self


def _in_order(periods: dict[str, Period]) -> None:
    for (earlier, a), (later, b) in pairwise(periods.items()):
        if a.end is None or b.start is None:
            raise ValueError(f"'{earlier}' needs 'before' and '{later}' needs 'from'")
        if a.end > b.start:
            raise ValueError(f"'{earlier}' ends at {a.end}, after '{later}' begins at {b.start}")


def _not_twice(values: list[tuple[str, Scalar]]) -> None:
    """Refuses a value of two parts, also one that is written in two ways."""
    first: dict[object, str] = {}
    for name, value in values:
        known = first.setdefault(_number(value), name)
        if known != name:
            raise ValueError(f"the value {value!r} belongs to two parts: '{known}' and '{name}'")


def _number(value: Scalar) -> object:
    """A text that reads as a number as this number: a cell may equal both."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return float(value)
    except ValueError:
        return str(value).strip().lower()
