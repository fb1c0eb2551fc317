"""What a row of a log is once it is read: keys, a time in UTC, a kind of event; and the reasons to set one aside.

Columns of this room's own begin with two underscores, so that they do not meet those of a log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.times import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tandem.components.log_example_gen.settings.time import TimeColumn
    from tandem.components.log_example_gen.times import TimeBounds

ROW = "__row"  # Int64: where a row stands in its file; 1 is the first after the header.
TIME = "__time_us"  # Int64: microseconds since 1970, UTC.
EVENT = "__event"  # String: the kind of a conversion.
FILE = "__file"  # Int32: which of its source's files a row comes from.
REASON = "__reason"  # String: why a row is set aside.
OWN_COLUMNS = (TIME, EVENT, FILE, ROW, REASON)

IMPRESSIONS, CLICKS, CONVERSIONS, TABLE = "impressions", "clicks", "conversions", "table"


@dataclass(frozen=True)
class Reason:
    """Why a row is neither an example nor part of one.

    Attributes:
      name: What files and counts call it.
      meaning: One sentence for the user.
      bad: Whether it counts against `max_bad_share`: something is wrong with the logs or the settings.
    """

    name: str
    meaning: str
    bad: bool


MALFORMED = Reason(
    "malformed",
    "The line could not be read: wrong number of cells, invalid JSON, a NUL byte, not UTF-8 (or not 'encoding').",
    bad=True,
)
REPEATED_HEADER = Reason(
    "repeated_header", "The row equals the header: files were put one behind the other, header and all.", bad=False
)
NOT_ONE_VALUE = Reason(
    "not_one_value",
    "A list stands where one value belongs: as a key, a time, a kind of event, a label or a weight.",
    bad=True,
)
MISSING_KEY = Reason("missing_key", "A key column is empty, so that the row belongs to nothing.", bad=True)
BAD_TIME = Reason(
    "bad_time",
    "The time is empty, not as the settings say, before 1990, or later than when the logs were read.",
    bad=True,
)
BAD_LABEL = Reason("bad_label", "A label of a labelled table cannot be read as 0 or 1.", bad=True)
BAD_WEIGHT = Reason("bad_weight", "The row weight is empty, no number, not finite or negative.", bad=True)
NO_IMPRESSION = Reason("no_impression", "No impression has the key of this event.", bad=True)
BEFORE_IMPRESSION = Reason(
    "before_impression", "The event came before the impression that it could belong to.", bad=True
)
BEFORE_CLICK = Reason("before_click", "The conversion came before the click that it could belong to.", bad=True)
DUPLICATE = Reason("duplicate", "The same thing came before and counts once.", bad=False)
OUTSIDE_CLICK_WINDOW = Reason(
    "outside_click_window", "The click came later after its impression than the click window allows.", bad=False
)
OUTSIDE_CONVERSION_WINDOW = Reason(
    "outside_conversion_window",
    "The conversion came later after its click (or impression) than the window allows.",
    bad=False,
)
OUTSIDE_SPLIT = Reason(
    "outside_split", "The impression falls into no period of the split: before, after or in a gap.", bad=False
)
UNUSED_EVENT = Reason("unused_event", "No label is made of this kind of conversion.", bad=False)
WITHOUT_KEY = Reason("without_key", "A row of a side table has no key, so that nothing can be joined to it.", bad=False)
NOT_ASKED_FOR = Reason("not_asked_for", "The row does not satisfy the conditions of 'where'.", bad=False)

REASONS = {
    reason.name: reason
    for reason in (
        MALFORMED,
        REPEATED_HEADER,
        NOT_ONE_VALUE,
        MISSING_KEY,
        BAD_TIME,
        BAD_LABEL,
        BAD_WEIGHT,
        NO_IMPRESSION,
        BEFORE_IMPRESSION,
        BEFORE_CLICK,
        DUPLICATE,
        OUTSIDE_CLICK_WINDOW,
        OUTSIDE_CONVERSION_WINDOW,
        OUTSIDE_SPLIT,
        UNUSED_EVENT,
        NOT_ASKED_FOR,
        WITHOUT_KEY,
    )
}


def no_parent(label: str) -> Reason:
    """Returns the reason of events that need `label` to be 1 where it is not: orphans."""
    name = f"no_{label}"
    if name in REASONS:
        raise LogsError(f"a label cannot be called '{label}': '{name}' is a reason of its own")
    return Reason(name, f"It needs '{label}' to be 1, and there it is 0.", bad=True)


def reason(name: str) -> Reason:
    """Returns the reason of a name, those of orphans (`no_<label>`) included."""
    return REASONS[name] if name in REASONS else no_parent(name.removeprefix("no_"))


def set_aside(rows: pl.DataFrame, why: Reason) -> pl.DataFrame:
    """Returns the rows with their reason."""
    return rows.with_columns(pl.lit(why.name).alias(REASON))


def stack(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Puts frames with the same columns on top of each other.

    A column that is a list in one of them (JSON only shows it where a list stands) becomes a list in all.
    """
    frames = list(frames)
    if len(frames) == 1:
        return frames[0]
    listed = {name for frame in frames for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)}
    return pl.concat([_with_lists(frame, listed) for frame in frames], how="diagonal")


def _with_lists(frame: pl.DataFrame, listed: set[str]) -> pl.DataFrame:
    scalars = [name for name in listed if name in frame.columns and frame.schema[name] == pl.String]
    return frame.with_columns(
        pl.when(pl.col(name) == "").then(pl.lit([], pl.List(pl.String))).otherwise(pl.concat_list(name)).alias(name)
        for name in scalars
    )


def single_values(rows: pl.DataFrame, names: Iterable[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Makes one text of each cell of some columns, and sets the rows aside where a list of several stands.

    JSON and Parquet know lists; that a column holds one shows only where a list stands.

    Args:
      rows: Texts or lists of texts.
      names: Columns that must have one value.

    Returns:
      The rows with texts in these columns, and the others as they came, with `REASON`.
    """
    listed = [name for name in names if rows.schema[name] == pl.List(pl.String)]
    if not listed:
        return rows, set_aside(rows.clear(), NOT_ONE_VALUE)
    filled = {name: pl.col(name).list.eval(pl.element().filter(pl.element() != "")) for name in listed}
    one = pl.all_horizontal([values.list.len().fill_null(0) <= 1 for values in filled.values()])
    texts = [values.list.first().fill_null("").alias(name) for name, values in filled.items()]
    return rows.filter(one).with_columns(texts), set_aside(rows.filter(~one), NOT_ONE_VALUE)


def normalize(
    rows: pl.DataFrame,
    keys: Sequence[str],
    time: TimeColumn | None = None,
    event: str | None = None,
    kind: str | None = None,
    kinds: Mapping[str, str] | None = None,
    bounds: TimeBounds | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Adds the time and the kind of event to rows as they were read, and sets aside those that lack a key or a time.

    Args:
      rows: Texts, as the readers give them.
      keys: Columns that must not be empty.
      time: Where the time stands, and how it is read.
      event: The column that names the kind of event.
      kind: The kind of all rows, where there is no such column.
      kinds: What the values of `event` stand for; others are no kind (an empty text). None, or nothing: for themselves.
      bounds: Between which moments a time can lie; None: at any.

    Returns:
      The rows with `TIME` (where there is a time) and `EVENT` (where there is a kind), and the rest with `REASON`.

    Raises:
      LogsError: A key, time or event column holds lists.
    """
    for name in (*keys, *(time.column if time else ()), *([event] if event else [])):
        if rows.schema[name] != pl.String:
            raise LogsError(f"column '{name}' holds lists; a key, a time or a kind of event is one value")
    added = []
    if time is not None:
        moment = moment_us(time)
        added.append((moment if bounds is None else pl.when(moment.is_between(*bounds)).then(moment)).alias(TIME))
    if event is not None:
        meant = pl.col(event)
        if kinds:
            # Where a tool has made doubles of whole numbers, 1.0 stands for 1.
            doubles = {f"{value}.0": label for value, label in kinds.items() if value.isdecimal()}
            meant = meant.str.strip_chars().replace_strict({**doubles, **kinds}, default="", return_dtype=pl.String)
        added.append(meant.alias(EVENT))
    elif kind is not None:
        added.append(pl.lit(kind).alias(EVENT))
    rows = rows.with_columns(added)
    no_key = pl.any_horizontal([pl.col(name) == "" for name in keys]) if keys else pl.lit(False)
    no_time = pl.col(TIME).is_null() if time is not None else pl.lit(False)
    why = pl.when(no_key).then(pl.lit(MISSING_KEY.name)).when(no_time).then(pl.lit(BAD_TIME.name))
    rows = rows.with_columns(why.alias(REASON))
    return rows.filter(pl.col(REASON).is_null()).drop(REASON), rows.filter(pl.col(REASON).is_not_null())
