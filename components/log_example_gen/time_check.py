"""Whether the times of a file are what the settings say: a file in seconds among others in milliseconds, say.

Times that are read wrongly are sound numbers: nothing but the years in which they lie can give them away.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.dates import describe_us, microseconds
from tandem.components.log_example_gen.records import BAD_TIME, REASON
from tandem.components.log_example_gen.settings.time import TimeColumn
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.times import END_OF_TIME, TimeBounds, moment_us

if TYPE_CHECKING:
    from tandem.components.log_example_gen.settings.split import Split

EARLIEST = datetime.datetime(1990, 1, 1, tzinfo=datetime.timezone.utc)
"""Nobody logged clicks before."""

CLOCKS_DIFFER = datetime.timedelta(days=2)
"""How much later than the reading a time may be: the clocks of machines differ, and local times are taken for UTC."""

_SAMPLE = 1000
_UNITS = ("s", "ms", "us", "ns", "iso8601")
_FORMATS = (
    *("%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S%f"),
    *("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S"),
    *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "apache", "rfc2822"),
)


def bounds_of(time: TimeColumn, split: Split, now: datetime.datetime) -> TimeBounds:
    """Returns between which moments the times of a stream can lie.

    Args:
      time: The stream's time column; times of an origin of its own may be any.
      split: Logs that are divided before 1990 or in the future lie there.
      now: When the logs are read.
    """
    named = [moment for period in split.periods().values() for moment in (period.start, period.end) if moment]
    latest = now + CLOCKS_DIFFER
    early = time.origin is not None or any(moment < EARLIEST for moment in named)
    late = any(period.start and period.start > latest for period in split.periods().values())
    return TimeBounds(0 if early else microseconds(EARLIEST), END_OF_TIME if late else microseconds(latest))


class TimeCheck:
    """Gathers the bad times of one file, and says in the end whether they would be sound if they were read otherwise.

    What it says does not depend on how the file is cut into blocks.
    """

    def __init__(self, source: str, file: str, time: TimeColumn | None, bounds: TimeBounds | None):
        """Takes whose times they are.

        Args:
          source: The stream's name.
          file: The file's name.
          time: The time column; None: there is none, and nothing is checked.
          bounds: Between which moments the times can lie; None: nothing is checked.
        """
        self._source = source
        self._file = file
        self._time = time
        self._bounds = bounds
        self._sound = self._bad = 0
        self._examples: list[str] = []

    def see(self, rows: pl.DataFrame, rejects: pl.DataFrame) -> None:
        """Looks at one block.

        Args:
          rows: Those with a sound time.
          rejects: The others, with their texts and `REASON`.
        """
        if self._time is None:
            return
        self._sound += len(rows)
        if rejects.is_empty():
            return
        text = pl.concat_str([pl.col(name).str.strip_chars() for name in self._time.column], separator=" ").alias("t")
        texts = rejects.filter(pl.col(REASON) == BAD_TIME.name).select(text).to_series()
        texts = texts.filter(texts.str.strip_chars() != "")
        self._bad += len(texts)
        self._examples += texts.head(_SAMPLE - len(self._examples)).to_list()

    def judge(self) -> None:
        """Looks whether most times of the file are sound.

        Raises:
          LogsError: They are not, and there is another way to read them that makes them so.
        """
        if self._time is None or self._bounds is None or self._bad <= self._sound:
            return
        found = fitting(pl.Series("t", self._examples, pl.String), self._time, self._bounds.latest_us)
        if found is None:
            return
        better, example, moment = found
        declared = _words(self._time)
        columns = " and ".join(f"'{name}'" for name in self._time.column)
        raise LogsError(
            f"{self._source}: {self._bad:,} of {self._bad + self._sound:,} times in {self._file} (column {columns}) "
            f"are none by {declared}: {example!r}{_read_as(example, self._time)}. By {_words(better)} it is "
            f"{describe_us(moment)}. If that is so in all files of '{self._source}', say it in 'time'; if only in "
            f"some, bring the files into one form"
        )


def fitting(texts: pl.Series, time: TimeColumn, latest_us: int) -> tuple[TimeColumn, str, int] | None:
    """Finds how most of some times can be read so that they lie between 1990 and the reading of the logs.

    Args:
      texts: What stands in the logs: [times], String.
      time: How they were read.
      latest_us: When the logs are read, with some time to spare, in microseconds since 1970.

    Returns:
      How, the first of the texts that can be read so, and what that is in microseconds since 1970; None: in no way.
    """
    if time.offset is not None:
        return None
    candidates = [TimeColumn(column=("t",), unit=unit) for unit in _UNITS]
    candidates += [TimeColumn(column=("t",), format=pattern) for pattern in _FORMATS]
    frame = texts.to_frame("t")
    for candidate in candidates:
        moments = frame.select(moment_us(candidate)).to_series()
        fits = moments.is_between(microseconds(EARLIEST), latest_us).fill_null(False)
        if 2 * fits.sum() > len(texts):
            return candidate, texts.filter(fits)[0], int(moments.filter(fits)[0])
    return None


def _words(time: TimeColumn) -> str:
    return f"format {time.format!r}" if time.unit is None else f"unit {time.unit!r}"


def _read_as(text: str, time: TimeColumn) -> str:
    """Says which moment a text is by settings that do not fit, if it is one."""
    if len(time.column) > 1:
        return ""
    moment = pl.DataFrame({time.column[0]: [text]}).select(moment_us(time)).item()
    return "" if moment is None else f" would be {describe_us(moment)}"
