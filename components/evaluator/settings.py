"""What a user says about the evaluation: users, slices, and the thresholds a model must pass to be pushed.

These classes are the `evaluation:` section of a configuration file. They are strict, frozen, and import nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.slice_key import ACTIVITY
from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.tasks import TaskGraph

# What a user may write is the type of the JSON schema: one alone in place of a list of one.
_SOME = Field(min_length=1)
_Rows = Annotated[int, Field(ge=2)]

RefuseIf = Literal["missed", "maybe_missed", "surely_missed"]
"""When a bound refuses a model: its value misses it; some of the value's 95% interval does; all of that interval does.
Of a bound on change, the interval is that of the difference between the models on the same rows."""


def _listed(value: Any) -> Any:
    """Reads one name, or one mapping, as a list of one; makes tuples of lists, as strict validation does not here."""
    if isinstance(value, str | dict | BaseModel):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _listed_numbers(value: Any) -> Any:
    return (value,) if isinstance(value, int | float) else _listed(value)


def _ascending(edges: Sequence[float]) -> None:
    if list(edges) != sorted(set(edges)):
        raise ValueError(f"edges must ascend, they are {list(edges)}")


def _columns_or_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {column: _as_in_logs(each) for column, each in value.items()}
    return _listed(value)


def _as_in_logs(value: Any) -> Any:
    """Writes a number or a truth value as it comes out of logs: `true`, not Python's `True`."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


class Buckets(Settings):
    """Slices by a column of numbers."""

    column: str
    """The column; slices are called by it. A feature that reads it must be numeric."""

    edges: Annotated[
        tuple[Annotated[float, Field(allow_inf_nan=False)], ...],
        BeforeValidator(_listed_numbers, json_schema_input_type=float | Annotated[tuple[float, ...], _SOME]),
        _SOME,
    ]
    """Where buckets begin, ascending: 10 and 50 make `<10`, `10..50` (from 10, below 50) and `>=50`."""

    @field_validator("edges")
    @classmethod
    def _in_order(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        _ascending(edges)
        return edges


class Activity(Settings):
    """Slices by how many of the evaluated rows a row's user has; the slices' column is called `activity`."""

    activity: Annotated[
        tuple[_Rows, ...],
        BeforeValidator(_listed_numbers, json_schema_input_type=_Rows | Annotated[tuple[_Rows, ...], _SOME]),
        _SOME,
    ]
    """Where buckets begin, ascending: 5 and 20 make `<5`, `5..20` (from 5, below 20) and `>=20`."""

    @field_validator("activity")
    @classmethod
    def _in_order(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        _ascending(edges)
        return edges


def _kind(value: Any) -> str:
    if isinstance(value, Activity) or (isinstance(value, dict) and "activity" in value):
        return "by_activity"
    return "in_buckets" if isinstance(value, Buckets | dict) else "by_value"


Dimension = Annotated[
    Annotated[str, Tag("by_value")] | Annotated[Buckets, Tag("in_buckets")] | Annotated[Activity, Tag("by_activity")],
    Discriminator(_kind),
]
"""What rows are told apart by: the values of a column, its buckets, or the activity of the user."""

Slicing = Annotated[
    tuple[Dimension, ...],
    BeforeValidator(_listed, json_schema_input_type=Dimension | Annotated[tuple[Dimension, ...], _SOME]),
    _SOME,
]
"""One dimension, or several crossed."""


def column_of(dimension: str | Buckets | Activity) -> str:
    """Returns the column that a dimension has in the names of slices."""
    if isinstance(dimension, str):
        return dimension
    return dimension.column if isinstance(dimension, Buckets) else ACTIVITY


class Threshold(Settings):
    """A bound that the candidate must keep; out of it, the model is not pushed."""

    metric: str
    """What is measured, such as `auc`, `gauc` or `calibration`."""

    output: str
    """The output of the model that it is measured of: `click`, `conversion_given_click`, `click_and_conversion`."""

    at_least: float | None = None
    """The smallest value allowed."""

    at_most: float | None = None
    """The largest value allowed."""

    not_worse_than_blessed_by: float | None = Field(default=None, ge=0)
    """How much worse than the model pushed last it may be, as a difference. Not checked while there is no such model.
    Of `calibration`: by how much its distance from 1 may be larger, on a log scale (|ln|): 0.8 and 1.25 are equally
    far.
    """

    slice: Annotated[
        tuple[str, ...] | dict[str, str],
        BeforeValidator(
            _columns_or_values, json_schema_input_type=str | tuple[str, ...] | dict[str, str | float | bool]
        ),
    ] = ()
    """Left out: all rows together. Columns: every slice of them (one that has no value, as a slice of one class has no
    AUC, is listed and does not block). Column -> value: this one slice, which must have a value: `true`, `12` and
    `007` mean what stands in the logs. The columns must be among `evaluation.slices`.
    """

    refuse_if: RefuseIf = "missed"
    """When it refuses a model. `missed`: the value misses the bound. `maybe_missed`: some of the 95% interval of the
    value (or of the difference to the blessed model) misses it, so that the bound is not proven to be kept.
    `surely_missed`: all of the interval misses it, so that chance alone does not refuse.
    """

    min_examples: int | None = Field(default=None, ge=0)
    """Slices in which fewer rows count for the output are listed and do not block. It does not apply to all rows
    together. None: `evaluation.min_examples`.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the slices that it is about, sorted."""
        return tuple(sorted(self.slice))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The keys of the bounds that it sets."""
        bounds = ("at_least", "at_most", "not_worse_than_blessed_by")
        return tuple(name for name in bounds if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _checkable(self) -> Threshold:
        if self.metric not in METRICS:
            raise ValueError(f"there is no metric {self.metric!r}; there are {', '.join(METRICS)}")
        if not self.kinds:
            raise ValueError("give 'at_least', 'at_most' or 'not_worse_than_blessed_by'")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"'at_least' ({self.at_least}) is above 'at_most' ({self.at_most})")
        info = METRICS[self.metric]
        if self.not_worse_than_blessed_by is not None and info.better is None and info.best is None:
            judged = ", ".join(name for name, info in METRICS.items() if info.better or info.best is not None)
            raise ValueError(
                f"'not_worse_than_blessed_by' needs a metric that can be better or worse ({judged}), "
                f"not {self.metric!r}"
            )
        if self.not_worse_than_blessed_by is not None and info.best is not None and self.refuse_if != "missed":
            raise ValueError(
                f"'refuse_if: {self.refuse_if}' does not go with 'not_worse_than_blessed_by' of {self.metric!r}: "
                f"that bounds its distance from {info.best:g}, which has no interval; leave 'refuse_if' out, and give "
                "'at_least' and 'at_most' a threshold of their own"
            )
        if self.refuse_if != "missed" and info.better is None and info.best is None:
            raise ValueError(f"'refuse_if: {self.refuse_if}' needs a metric with an interval; {self.metric!r} counts")
        return self


class EvaluationSettings(Settings):
    """The `evaluation:` section."""

    group_by: str | None = "user_id"
    """The column that names the user, for GAUC and for intervals. A row in which it is empty belongs to nobody: it
    counts in all but GAUC. None (write `null`): there are no users; then there is no GAUC, and intervals take rows for
    independent.
    """

    slices: tuple[Slicing, ...] = ()
    """What to report by, each for itself: a column, a column of numbers in buckets, or the user's activity. Those in a
    list of their own are crossed: `[device, [device, segment], {column: price, edges: [10, 50]}, {activity: [5, 20]}]`.
    All rows together are always reported.
    """

    final_labels_only: bool = True
    """Whether impressions whose label may still change after the end of the logs are left out, output by output."""

    weighted: bool = False
    """Whether metrics weigh rows by the row weights, as training does. Counts of rows and users stay counts."""

    min_examples: int = Field(default=100, ge=0)
    """Slices in which fewer rows count for an output are shown and listed, but do not block. A threshold may say
    otherwise.
    """

    thresholds: tuple[Threshold, ...] = Field(min_length=1)
    """What a model must keep to be pushed. At least one: without any, every model would be pushed."""

    @property
    def slicings(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each way of slicing, sorted."""
        return tuple(tuple(sorted(map(column_of, slicing))) for slicing in self.slices)

    @property
    def buckets(self) -> dict[str, tuple[float, ...]]:
        """The edges of the columns that have buckets, `activity` among them."""
        found: dict[str, tuple[float, ...]] = {}
        for slicing in self.slices:
            for dimension in slicing:
                if isinstance(dimension, Buckets):
                    found[dimension.column] = dimension.edges
                elif isinstance(dimension, Activity):
                    found[ACTIVITY] = dimension.activity
        return found

    @model_validator(mode="after")
    def _consistent(self) -> EvaluationSettings:
        known = self.slicings
        meant: dict[str, str | Buckets | Activity] = {}
        for dimension in (each for slicing in self.slices for each in slicing):
            column = column_of(dimension)
            if meant.setdefault(column, dimension) != dimension:
                raise ValueError(
                    f"slices: '{column}' comes in two forms; a column is sliced in one way wherever it stands"
                )
        for names in known:
            if known.count(names) > 1 or len(set(names)) < len(names):
                raise ValueError(f"slices: {list(names)} comes twice, or has a column twice")
        seen = set()
        for threshold in self.thresholds:
            if threshold.columns and threshold.columns not in known:
                raise ValueError(
                    f"thresholds: {list(threshold.columns)} is not among the slices; "
                    f"they are {[list(names) for names in known]}"
                )
            values = tuple(sorted(threshold.slice.items())) if isinstance(threshold.slice, dict) else ()
            for kind in threshold.kinds:
                about = (threshold.metric, threshold.output, threshold.columns, values, kind)
                if about in seen:
                    raise ValueError(
                        f"thresholds: '{kind}' for {threshold.metric} of {threshold.output} comes twice "
                        "for the same slice"
                    )
                seen.add(about)
        return self

    @model_validator(mode="after")
    def _users_where_they_are_needed(self) -> EvaluationSettings:
        if self.group_by is not None:
            return self
        if any(isinstance(each, Activity) for slicing in self.slices for each in slicing):
            raise ValueError("slices: 'activity' counts the rows of users, and 'group_by' is null: there are none")
        for threshold in self.thresholds:
            if METRICS[threshold.metric].of_users:
                raise ValueError(
                    f"thresholds: {threshold.metric} of {threshold.output} is about users, and 'group_by' is null: "
                    "there are none; name their column, or bound 'auc'"
                )
        return self

    def least_examples(self, threshold: Threshold) -> int:
        """Returns below how many rows a slice is not held to a threshold."""
        return self.min_examples if threshold.min_examples is None else threshold.min_examples

    def check(self, graph: TaskGraph) -> None:
        """Checks what the tasks have a say in.

        Raises:
          ValueError: A threshold is about an output that the tasks do not lead to.
        """
        outputs = [output.name for output in graph.outputs()]
        for threshold in self.thresholds:
            if threshold.output not in outputs:
                raise ValueError(f"thresholds: there is no output {threshold.output!r}; there are {', '.join(outputs)}")
